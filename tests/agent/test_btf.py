"""BTF by hand: every kind of member, and a module's records on top of the kernel's."""

from __future__ import annotations

import struct

import pytest

from tracejob_agent.kernel.btf_c import declaration, definition
from tracejob_agent.kernel.btf_file import BtfError, BtfFile, Kind
from tracejob_agent.kernel.btf_types import BtfTypes
from tracelang.types import S32, U8, AddressSpace, ArrayType, EnumType, PointerType, StringType, StructType


class Builder:
    """Writes records in their order; the first id is 1, or one behind the base's last."""

    def __init__(self, base: Builder | None = None) -> None:
        self._first_string = len(base._strings) + base._first_string if base else 0
        self._strings = b"" if base else b"\0"
        self._types = b""
        self._next = base._next if base else 1

    def add(
        self,
        kind: Kind,
        name: str = "",
        *,
        size: int = 0,
        extra: tuple[int, ...] = (),
        vlen: int = 0,
        flag: bool = False,
    ) -> int:
        info = vlen | kind << 24 | flag << 31
        self._types += struct.pack(f"<III{len(extra)}I", self.string(name), info, size, *extra)
        self._next += 1
        return self._next - 1

    def string(self, text: str) -> int:
        if not text:
            return 0
        self._strings += text.encode() + b"\0"
        return self._first_string + len(self._strings) - len(text) - 1

    def data(self) -> bytes:
        header = struct.pack("<HBBIIIII", 0xEB9F, 1, 0, 24, 0, len(self._types), len(self._types), len(self._strings))
        return header + self._types + self._strings


def kernel() -> Builder:
    made = Builder()
    integer = made.add(Kind.INT, "int", size=4, extra=(1 << 24 | 32,))  # 1
    char = made.add(Kind.INT, "char", size=1, extra=(8,))  # 2
    text = made.add(Kind.ARRAY, extra=(char, integer, 16))  # 3
    tag = made.add(Kind.TYPE_TAG, "user", size=char)  # 4
    user_pointer = made.add(Kind.PTR, size=tag)  # 5
    members = ((made.string("low"), integer, 3 << 24), (made.string("high"), integer, 5 << 24 | 3))
    bits = made.add(Kind.STRUCT, size=4, vlen=2, flag=True, extra=tuple(word for item in members for word in item))  # 6
    rows = made.add(Kind.ARRAY, extra=(integer, integer, 2))  # 7
    thing = (
        (made.string("number"), integer, 0),
        (made.string("name"), text, 32),
        (0, bits, 160),
        (made.string("where"), user_pointer, 192),
        (made.string("next"), 9, 256),
        (made.string("rows"), rows, 320),
    )
    made.add(Kind.STRUCT, "thing", size=48, vlen=6, extra=tuple(word for item in thing for word in item))  # 8
    made.add(Kind.PTR, size=8)  # 9
    values = (made.string("RED"), 0xFFFFFFFF, made.string("GREEN"), 2)
    made.add(Kind.ENUM, "color", size=4, vlen=2, flag=True, extra=values)  # 10
    made.add(Kind.TYPEDEF, "number_t", size=integer)  # 11
    return made


def test_members_of_all_kinds() -> None:
    layout = BtfTypes(BtfFile(kernel().data())).struct("struct thing")
    assert layout is not None
    shown = {name: (member.type, member.bit_offset, member.bit_size) for name, member in layout.members.items()}
    assert shown == {
        "number": (S32, 0, 0),
        "name": (StringType(16), 32, 0),
        "low": (S32, 160, 3),  # of an anonymous struct inside
        "high": (S32, 163, 5),
        "where": (PointerType(U8, AddressSpace.USER), 192, 0),
        "next": (PointerType(StructType("struct thing", 48), AddressSpace.KERNEL), 256, 0),
        "rows": (ArrayType(S32, 2), 320, 0),
    }


def test_constants_of_a_signed_enum() -> None:
    types = BtfTypes(BtfFile(kernel().data()))
    assert types.enum_value("RED") == (-1, EnumType("enum color", 32, True, ((-1, "RED"), (2, "GREEN"))))
    assert types.enum_value("number") is None  # a member's name, not a constant's


def test_a_module_builds_on_the_kernels_types() -> None:
    base = kernel()
    module = Builder(base)
    pointer = module.add(Kind.PTR, size=8)
    own = (module.string("inside"), 1, 0, module.string("outside"), pointer, 64)
    module.add(Kind.STRUCT, "own", size=16, vlen=2, extra=own)
    prototype = module.add(Kind.FUNC_PROTO, size=1, vlen=1, extra=(module.string("thing"), pointer))
    module.add(Kind.FUNC, "work", size=prototype)
    types = BtfTypes(BtfFile(module.data(), base=BtfFile(base.data())))
    layout = types.struct("struct own")
    assert layout is not None
    assert layout.members["inside"].type == S32
    assert layout.members["outside"].type == PointerType(StructType("struct thing", 48), AddressSpace.KERNEL)
    signature = types.function("work")
    assert signature is not None
    assert [item.name for item in signature.parameters] == ["thing"]
    assert signature.result == S32
    assert types.struct("struct thing") is not None  # the kernel's own, through the module's


def test_a_function_is_the_same_however_many_are_looked_up() -> None:
    base = kernel()
    nothing = base.add(Kind.FUNC_PROTO, size=0)
    first = base.add(Kind.FUNC, "twice", size=nothing)
    base.add(Kind.FUNC, "twice", size=nothing)
    module = Builder(base)
    module.string("first")  # what a module's strings begin with has no end of another before it
    own = module.add(Kind.FUNC, "own", size=nothing)
    module.add(Kind.FUNC, "twice", size=nothing)
    btf = BtfFile(module.data(), base=BtfFile(base.data()))
    answers = {
        tuple(record.id if record else None for record in map(btf.function, ("twice", "own", "thing", "none")))
        for _ in range(60)
    }
    assert answers == {(first, own, None, None)}


def test_types_are_spelled_as_c() -> None:
    btf = BtfFile(kernel().data())
    record = btf.find("thing", Kind.STRUCT)
    assert record is not None
    assert definition(btf, record) == (
        "struct thing {\n\tint number;\n\tchar name[16];\n\tstruct {\n\t\tint low: 3;\n\t\tint high: 5;\n\t};\n"
        "\tchar *where;\n\tstruct thing *next;\n\tint rows[2];\n};"
    )
    assert declaration(btf, 11, "count") == "number_t count"


@pytest.mark.parametrize("data", [b"", b"\0" * 64, b"\x9f\xeb" + b"\0" * 10])
def test_what_is_not_btf_is_refused(data: bytes) -> None:
    with pytest.raises(BtfError):
        BtfFile(data)
