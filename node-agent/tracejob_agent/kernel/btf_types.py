"""The kernel's types in the language's terms: BTF records in, `tracelang` types, layouts and signatures out.

Structs are named, never expanded inside a type, so a type is small and finite. An anonymous struct or union behind a
named member is called by its record's number ("struct #1234") and found again by that name.
"""

from __future__ import annotations

from tracejob_agent.kernel.btf_file import BtfFile, Kind, Record, enum_constants
from tracelang.facts import Layout, Member, Parameter, Signature
from tracelang.types import (
    VOID,
    AddressSpace,
    ArrayType,
    BoolType,
    EnumType,
    FloatType,
    IntType,
    PointerType,
    StringType,
    StructType,
    Type,
    VoidType,
    size_of,
)

_TRANSPARENT = (Kind.TYPEDEF, Kind.VOLATILE, Kind.CONST, Kind.RESTRICT, Kind.TYPE_TAG, Kind.DECL_TAG)
_STRUCTS = (Kind.STRUCT, Kind.UNION)
_ENUMS = (Kind.ENUM, Kind.ENUM64)


class BtfTypes:
    """Look-ups by C name over one BtfFile."""

    def __init__(self, btf: BtfFile) -> None:
        self.btf = btf
        self._types: dict[int, Type] = {}
        self._layouts: dict[str, Layout | None] = {}

    # --- by name ----------------------------------------------------------------------------------------------

    def struct(self, name: str) -> Layout | None:
        """By "struct x", "union x", a typedef's name, or the number of an anonymous one ("struct #12")."""
        if name not in self._layouts:
            record = self._struct_record(name)
            self._layouts[name] = self._layout(record, name) if record else None
        return self._layouts[name]

    def named(self, name: str) -> Type | None:
        """A struct, union, enum, typedef or base type by its C name, without pointer stars."""
        words = name.split()
        if len(words) == 2 and words[0] in ("struct", "union"):
            record = self._struct_record(name)
            return self.of(record.id) if record else None
        if len(words) == 2 and words[0] == "enum":
            found = self.btf.find(words[1], *_ENUMS)
        else:
            found = self.btf.find(name, Kind.TYPEDEF, Kind.INT, Kind.FLOAT)
        return self.of(found.id) if found else None

    def enum_value(self, name: str) -> tuple[int, EnumType] | None:
        found = self.btf.enumeration_with(name)
        if found is None:
            return None
        value, record = found
        type_ = self.of(record.id)
        return (value, type_) if isinstance(type_, EnumType) else None

    def function(self, name: str) -> Signature | None:
        record = self.btf.function(name)
        return self.prototype(record.size_or_type, name) if record else None

    def function_id(self, name: str) -> int | None:
        record = self.btf.function(name)
        return record.id if record else None

    def raw_tracepoint(self, name: str) -> Signature | None:
        """The tracepoint's own arguments; the leading `void *` of the kernel's typedef is left out."""
        record = self.btf.find(f"btf_trace_{name}", Kind.TYPEDEF)
        if record is None:
            return None
        # The typedef has no parameter names; the probe stub, where the kernel keeps it (6.5+), has them.
        named = self.function(f"__probestub_{name}") or self.function(f"__bpf_trace_{name}")
        plain = self.prototype(self.btf.record(record.size_or_type).size_or_type, name)
        source = named if named and len(named.parameters) == len(plain.parameters) else plain
        return Signature(
            name,
            tuple(
                Parameter(item.name or f"arg{index}", item.type, index)
                for index, item in enumerate(source.parameters[1:])
            ),
            None,
        )

    # --- by id ------------------------------------------------------------------------------------------------

    def of(self, type_id: int) -> Type:
        """The record as a Type; qualifiers and typedefs are looked through."""
        if type_id not in self._types:
            self._types[type_id] = self._convert(type_id)
        return self._types[type_id]

    def prototype(self, type_id: int, name: str) -> Signature:
        record = self.btf.record(type_id)
        words = self.btf.words(type_id)
        parameters = []
        register = 0
        for name_offset, parameter in zip(words[0::2], words[1::2], strict=True):
            if parameter == 0:  # the dots of a variadic function
                break
            type_ = self.of(parameter)
            parameters.append(Parameter(self.btf.string(name_offset), type_, register))
            register += max(1, (self._size(type_) + 7) // 8)
        result = None if record.size_or_type == 0 else self.of(record.size_or_type)
        return Signature(name, tuple(parameters), result)

    def _convert(self, type_id: int) -> Type:
        record = self.btf.record(type_id)
        match record.kind:
            case Kind.INT:
                return self._integer(record)
            case Kind.PTR:
                return self._pointer(record)
            case Kind.ARRAY:
                return self._array(record)
            case Kind.STRUCT | Kind.UNION:
                return StructType(self._struct_name(record), record.size_or_type)
            case Kind.FWD:
                return StructType(f"{'union' if record.flag else 'struct'} {record.name}", 0)
            case Kind.ENUM | Kind.ENUM64:
                constants = tuple((value, name) for name, value in enum_constants(self.btf, record))
                return EnumType(f"enum {record.name}".rstrip(), record.size_or_type * 8, record.flag, constants)
            case Kind.TYPEDEF:
                target = self.btf.record(record.size_or_type)
                if target.kind in _STRUCTS and not target.name:
                    return StructType(record.name, target.size_or_type)
                return self.of(record.size_or_type)
            case Kind.VOLATILE | Kind.CONST | Kind.RESTRICT | Kind.TYPE_TAG | Kind.DECL_TAG | Kind.VAR:
                return self.of(record.size_or_type)
            case Kind.FLOAT:
                return FloatType(min(record.size_or_type * 8, 64), signed=False)
        return VOID

    def _integer(self, record: Record) -> Type:
        encoding = self.btf.words(record.id)[0] >> 24
        if encoding & 4:
            return BoolType()
        # Nothing in the language is wider than 64 bits; a wider integer is an array of words.
        if record.size_or_type > 8:
            return ArrayType(IntType(64, signed=False), record.size_or_type // 8)
        return IntType(record.size_or_type * 8, signed=bool(encoding & 1))

    def _pointer(self, record: Record) -> Type:
        space = AddressSpace.KERNEL
        target = self.btf.record(record.size_or_type)
        while target.kind in _TRANSPARENT and target.kind is not Kind.TYPEDEF:
            if target.kind is Kind.TYPE_TAG and target.name == "user":
                space = AddressSpace.USER
            target = self.btf.record(target.size_or_type)
        return PointerType(self.of(record.size_or_type), space)

    def _array(self, record: Record) -> Type:
        element_id, _, count = self.btf.words(record.id)
        element = self.of(element_id)
        # Upstream shows every array of bytes as a string, and macaddr() and ntop() take them so.
        if isinstance(element, IntType) and element.bits == 8 and count:
            return StringType(count)
        return ArrayType(element, count)

    def _size(self, type_: Type) -> int:
        return 0 if isinstance(type_, VoidType) else size_of(type_)

    def _struct_name(self, record: Record) -> str:
        keyword = "struct" if record.kind is Kind.STRUCT else "union"
        return f"{keyword} {record.name or f'#{record.id}'}"

    def _struct_record(self, name: str) -> Record | None:
        words = name.split()
        if len(words) == 2 and words[0] in ("struct", "union"):
            if words[1].startswith("#"):
                return self.btf.record(int(words[1][1:]))
            return self.btf.find(words[1], Kind.STRUCT if words[0] == "struct" else Kind.UNION)
        record = self.btf.find(name, Kind.TYPEDEF)
        while record is not None and record.kind in _TRANSPARENT:
            record = self.btf.record(record.size_or_type)
        return record if record is not None and record.kind in _STRUCTS else None

    def _layout(self, record: Record, name: str) -> Layout:
        members: dict[str, Member] = {}
        self._add_members(record, members, base_bits=0)
        return Layout(name, record.size_or_type, members)

    def _add_members(self, record: Record, members: dict[str, Member], *, base_bits: int) -> None:
        words = self.btf.words(record.id)
        for name_offset, type_id, position in zip(words[0::3], words[1::3], words[2::3], strict=True):
            bit_size = position >> 24 if record.flag else 0
            bits = base_bits + (position & 0xFFFFFF if record.flag else position)
            name = self.btf.string(name_offset)
            if name:
                members.setdefault(name, Member(name, self.of(type_id), bits // 8, bits, bit_size))
                continue
            inner = self.btf.record(type_id)
            while inner.kind in _TRANSPARENT:
                inner = self.btf.record(inner.size_or_type)
            if inner.kind in _STRUCTS:
                self._add_members(inner, members, base_bits=bits)
