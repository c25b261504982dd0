"""How typed values are spelled in C: scalar types, places in memory, and text that is safe inside a comment.

Comes in: types and addresses; goes out: C fragments. Nothing here knows about statements.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from tracelang.source import Span
from tracelang.structs import Struct, field, replace
from tracelang.types import (
    AddressSpace,
    BoolType,
    EnumType,
    IntType,
    Type,
    is_scalar,
)

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class CodegenError(Exception):
    """The typed tree asks for what this generator or this kernel can't give; the message is for the user.

    span: the statement, once it is known (see `statements.write`).
    """

    span: Span | None = None


def c_type(type_: Type) -> str:
    """The C type of a scalar in a variable."""
    match type_:
        case IntType(bits=bits, signed=signed) | EnumType(bits=bits, signed=signed):
            return f"{'s' if signed else 'u'}{bits}"
        case BoolType():
            return "u8"
    if is_scalar(type_):
        return "u64"
    raise TypeError(f"{type_!r} is no scalar")


def bits_of(type_: Type) -> int:
    match type_:
        case IntType(bits=bits) | EnumType(bits=bits):
            return bits
        case BoolType():
            return 8
    return 64


def is_signed(type_: Type) -> bool:
    return isinstance(type_, IntType | EnumType) and type_.signed


def literal(value: int, type_: Type) -> str:
    """An integer constant of the type, as C text."""
    bits, signed = bits_of(type_), is_signed(type_)
    value &= (1 << bits) - 1
    if signed and value >> (bits - 1):
        value -= 1 << bits
    if value == -(1 << 63):
        return "(-9223372036854775807LL - 1)"
    suffix = ("LL" if signed else "ULL") if bits == 64 else ("" if signed or value < (1 << 31) else "U")
    return f"({value}{suffix})" if value < 0 else f"{value}{suffix}"


class Place(Struct, frozen=True):
    """Memory from `offset` bytes after `base` on.

    In BPF memory `base` is the C text of a `u8 *`, aligned to 8; elsewhere of a u64 address. `members` names the
    fields of a declared struct that `base` points to ({offset: (field text, C type)}), so that stores read well.
    """

    space: AddressSpace
    base: str
    offset: int = 0
    members: Mapping[int, tuple[str, str]] = field(default_factory=dict)
    alignment: int = 8

    def at(self, offset: int) -> Place:
        return replace(self, offset=self.offset + offset)

    @property
    def is_ours(self) -> bool:
        return self.space is AddressSpace.BPF

    @property
    def address(self) -> str:
        """The C text of the address (`u8 *` in BPF memory, u64 elsewhere)."""
        if self.offset in self.members and self.is_ours:
            text, kind = self.members[self.offset]
            return text if kind == "u8[]" else f"(u8 *)&{text}"
        return f"({self.base} + {self.offset})" if self.offset else self.base

    @property
    def pointer(self) -> str:
        """The address as a helper takes it."""
        return self.address if self.is_ours else f"(void *){self.address}"

    def aligned_to(self) -> int:
        """The largest power of two up to 8 that divides the address for sure."""
        low = self.offset & -self.offset if self.offset else 8
        return min(low, self.alignment)

    def lvalue(self, kind: str) -> str:
        """The scalar of C type `kind` here, to be read or assigned (BPF memory only)."""
        member = self.members.get(self.offset)
        if member is not None and member[1] == kind:
            return member[0]
        return f"*({kind} *){self.address}"


def variable_place(name: str) -> Place:
    return Place(AddressSpace.BPF, f"(u8 *)&{name}")


def safe_name(name: str) -> str:
    """A user's identifier as a piece of a C identifier; "" when it isn't plain."""
    return name if _IDENTIFIER.fullmatch(name) else ""


def comment(text: str, *, limit: int = 96) -> str:
    """Text of a program for the inside of a C comment: one line, printable ASCII, no way to end the comment."""
    line = " ".join(text.split())
    line = "".join(char if " " <= char <= "~" and char != "\\" else "." for char in line)
    line = line.replace("*/", "*.").replace("/*", ".*").replace("??", "?.")
    line = line if len(line) <= limit else line[: limit - 3] + "..."
    return line.replace("*/", "*.")


def string_words(data: bytes, *, alignment: int) -> list[tuple[int, int, int]]:
    """Constant bytes as stores of (offset, bytes, value), each aligned; the offsets start at an address so aligned."""
    words: list[tuple[int, int, int]] = []
    offset = 0
    while offset < len(data):
        size = alignment
        while size > len(data) - offset or offset % size:
            size //= 2
        words.append((offset, size, int.from_bytes(data[offset : offset + size], "little")))
        offset += size
    return words
