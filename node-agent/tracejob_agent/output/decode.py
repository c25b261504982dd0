"""Bytes to values: for each type of the language, a function from a buffer and an offset to a Python value.

Strings are bytes up to their NUL; arrays are lists; tuples are tuples; records and structs are dicts; what has to be
looked up to be shown (stacks, symbols) stays a small named tuple. Layouts are those of `tracelang.types` and `plan`.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable
from typing import NamedTuple

from tracejob_agent.output.layouts import Layouts
from tracelang.facts import Layout, Member
from tracelang.types import (
    AggregateType,
    ArrayType,
    BoolType,
    BufferType,
    EnumType,
    InetType,
    IntType,
    MacType,
    PointerType,
    RecordType,
    StackType,
    StringType,
    StructType,
    TaggedType,
    TimestampType,
    TupleType,
    Type,
    UsymType,
    size_of,
    tuple_layout,
)

Buffer = bytes | bytearray | memoryview


class StackKey(NamedTuple):
    """id: of the stack map's entry; negative: the error number that taking the stack gave."""

    id: int
    pid: int
    probe: int


class UserAddress(NamedTuple):
    address: int
    pid: int
    probe: int


Value = (
    int | bool | bytes | str | list["Value"] | tuple["Value", ...] | dict[str, "Value"] | StackKey | UserAddress | None
)
Decoder = Callable[[Buffer, int], Value]

_STACK = struct.Struct("<qII")
_USYM = struct.Struct("<QII")
_U32 = struct.Struct("<I")
_ADDRESS_FAMILIES = {2: (socket.AF_INET, 4), 10: (socket.AF_INET6, 16)}


def integer_code(type_: Type) -> str:
    """The struct module's letter for a scalar; "" for what isn't one integer."""
    match type_:
        case IntType(bits=bits, signed=signed) | EnumType(bits=bits, signed=signed):
            code = {8: "b", 16: "h", 32: "i", 64: "q"}[bits]
            return code if signed else code.upper()
        case BoolType():
            return "?"
        case PointerType() | TimestampType() | TaggedType():
            return "Q"
    return ""


def decoder(type_: Type, layouts: Layouts) -> Decoder:
    """The function that reads a value of `type_` out of a buffer."""
    if code := integer_code(type_):
        unpack = struct.Struct(f"<{code}").unpack_from
        return lambda buffer, offset: unpack(buffer, offset)[0]
    match type_:
        case StringType(size=size):
            return lambda buffer, offset: bytes(buffer[offset : offset + size]).split(b"\0", 1)[0]
        case BufferType(size=size):
            return lambda buffer, offset: _buffer(buffer, offset, size)
        case ArrayType(element=element, count=count):
            return _array(decoder(element, layouts), size_of(element), count)
        case TupleType(elements=elements):
            parts = tuple(zip((decoder(item, layouts) for item in elements), tuple_layout(elements)[0], strict=True))
            return lambda buffer, offset: tuple(read(buffer, offset + at) for read, at in parts)
        case RecordType(fields=fields):
            return _record(fields, layouts)
        case StructType():
            return _struct(layouts.struct(type_.name), type_, layouts)
        case StackType():
            return lambda buffer, offset: StackKey._make(_STACK.unpack_from(buffer, offset))
        case UsymType():
            return lambda buffer, offset: UserAddress._make(_USYM.unpack_from(buffer, offset))
        case InetType():
            return _inet
        case MacType():
            return lambda buffer, offset: ":".join(f"{byte:02X}" for byte in bytes(buffer[offset : offset + 6]))
        case AggregateType():
            unpack = struct.Struct("<q").unpack_from
            return lambda buffer, offset: unpack(buffer, offset)[0]
    return lambda buffer, offset: None


def _buffer(buffer: Buffer, offset: int, size: int) -> bytes:
    length = min(_U32.unpack_from(buffer, offset)[0], size)
    return bytes(buffer[offset + 4 : offset + 4 + length])


def _array(read: Decoder, stride: int, count: int) -> Decoder:
    return lambda buffer, offset: [read(buffer, offset + stride * index) for index in range(count)]


def _record(fields: tuple[tuple[str, Type], ...], layouts: Layouts) -> Decoder:
    offsets = tuple_layout(tuple(item for _, item in fields))[0]
    parts = tuple((name, decoder(item, layouts), at) for (name, item), at in zip(fields, offsets, strict=True))
    return lambda buffer, offset: {name: read(buffer, offset + at) for name, read, at in parts}


def _struct(layout: Layout | None, type_: StructType, layouts: Layouts) -> Decoder:
    if layout is None:
        return lambda buffer, offset: bytes(buffer[offset : offset + type_.size])
    parts = tuple((member.name, _member(member, layouts)) for member in layout.members.values())
    return lambda buffer, offset: {name: read(buffer, offset) for name, read in parts}


def _member(member: Member, layouts: Layouts) -> Decoder:
    if member.bit_size:
        return _bit_field(member)
    read, at = decoder(member.type, layouts), member.offset
    return lambda buffer, offset: read(buffer, offset + at)


def _bit_field(member: Member) -> Decoder:
    start, shift = divmod(member.bit_offset, 8)
    length = (shift + member.bit_size + 7) // 8
    mask = (1 << member.bit_size) - 1
    signed = isinstance(member.type, IntType) and member.type.signed

    def read(buffer: Buffer, offset: int) -> int:
        raw = int.from_bytes(bytes(buffer[offset + start : offset + start + length]), "little") >> shift & mask
        return raw - mask - 1 if signed and raw > mask >> 1 else raw

    return read


def _inet(buffer: Buffer, offset: int) -> str:
    family = int.from_bytes(bytes(buffer[offset : offset + 8]), "little")
    if family not in _ADDRESS_FAMILIES:
        return ""
    name, length = _ADDRESS_FAMILIES[family]
    return socket.inet_ntop(name, bytes(buffer[offset + 8 : offset + 8 + length]))
