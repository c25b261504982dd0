"""Values as text and as JSON, in bpftrace's exact spelling: for each type, a function from a value to a string."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, cast

from tracejob_agent.output.decode import StackKey, UserAddress, Value
from tracejob_agent.output.names import Names, format_time, hexadecimal
from tracelang.facts import Layout
from tracelang.types import (
    ArrayType,
    BoolType,
    BufferType,
    EnumType,
    FloatType,
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
)

Writer = Callable[[Any], str]  # Any: each writer is only given values of the type that it was made for


def text_writer(type_: Type, names: Names, *, compact: bool = False) -> Writer:
    """compact: without blanks between parts, as JSON's map keys are spelled."""
    comma = "," if compact else ", "
    match type_:
        case FloatType():
            return lambda value: "null"
        case BoolType():
            return lambda value: "true" if value else "false"
        case EnumType(variants=variants):
            by_value = dict(variants)
            return lambda value: by_value.get(value, str(value))
        case PointerType():
            return lambda value: f"0x{value:x}"
        case StringType(size=size):
            return _string_writer(size, names)
        case BufferType():
            return escape_bytes
        case ArrayType(element=element):
            inner = text_writer(element, names, compact=compact)
            return lambda value: f"[{','.join(inner(item) for item in value)}]"
        case TupleType(elements=elements):
            writers = tuple(text_writer(item, names, compact=compact) for item in elements)
            return lambda value: f"({comma.join(write(item) for write, item in zip(writers, value, strict=True))})"
        case RecordType() | StructType():
            return _fields_writer(type_, names, compact=compact)
        case StackType():
            return _stack_writer(type_, names, compact=compact)
        case TimestampType(clock=clock, format=template) if template:
            return lambda value: format_time(template, names.wall_clock(clock, value))
        case TaggedType(kind=kind):
            return lambda value: names.tagged(kind, value)
        case UsymType():
            return lambda value: _user_symbol(value, names)
    return str


def json_writer(type_: Type, names: Names) -> Writer:
    match type_:
        case FloatType():
            return lambda value: "null"
        case BoolType():
            return lambda value: "true" if value else "false"
        case BufferType():
            return lambda value: f"[{','.join(str(byte - 256 if byte > 127 else byte) for byte in value)}]"
        case ArrayType(element=element):
            inner = json_writer(element, names)
            return lambda value: f"[{','.join(inner(item) for item in value)}]"
        case TupleType(elements=elements):
            writers = tuple(json_writer(item, names) for item in elements)
            return lambda value: f"[{','.join(write(item) for write, item in zip(writers, value, strict=True))}]"
        case RecordType() | StructType():
            fields = tuple((name, json_writer(item, names)) for name, item in _fields(type_, names))
            return lambda value: (
                f"{{{', '.join(f'{json_text(name)}: {write(value[name])}' for name, write in fields)}}}"
            )
        case TimestampType(format="") | PointerType() | EnumType():
            return json_integer
    if isinstance(type_, StringType | StackType | TaggedType | UsymType | TimestampType):
        write = text_writer(type_, names)
        return lambda value: json_text(write(value))
    return lambda value: json_integer(value) if isinstance(value, int) else json_text(str(value))


def json_text(text: str) -> str:
    """A JSON string; bytes that aren't UTF-8 become the replacement character."""
    return json.dumps(text.encode("utf-8", "surrogateescape").decode("utf-8", "replace"), ensure_ascii=False)


def json_integer(value: int) -> str:
    """A number where a double holds it exactly, else a string, as upstream does."""
    return str(value) if int(float(value)) == value else f'"{value}"'


def escape_bytes(data: bytes) -> str:
    """Printable characters as they are, all others as \\xNN."""
    return "".join(chr(byte) if 32 <= byte < 127 else f"\\x{byte:02x}" for byte in data)


def _string_writer(size: int, names: Names) -> Writer:
    to_text = names.text
    if not names.max_strlen or size not in (names.max_strlen, names.max_strlen + 1):
        return to_text  # a shorter field holds all of what it was made for
    # A string that fills its field was cut.
    trailer, full = names.trailer, names.max_strlen
    return lambda value: to_text(value) + trailer if len(value) >= full else to_text(value)


def _fields(type_: RecordType | StructType, names: Names) -> tuple[tuple[str, Type], ...]:
    if isinstance(type_, RecordType):
        return type_.fields
    layout: Layout | None = names.layouts.struct(type_.name)
    return tuple((member.name, member.type) for member in layout.members.values()) if layout else ()


def _fields_writer(type_: RecordType | StructType, names: Names, *, compact: bool) -> Writer:
    fields = tuple(
        (name, names.shown(name), text_writer(item, names, compact=compact)) for name, item in _fields(type_, names)
    )
    if compact:
        return lambda value: f"{{{','.join(f'.{label}={write(value[name])}' for name, label, write in fields)}}}"
    return lambda value: f"{{ {', '.join(f'.{label} = {write(value[name])}' for name, label, write in fields)} }}"


def _stack_writer(type_: StackType, names: Names, *, compact: bool) -> Writer:
    mode, depth, user = type_.mode, type_.depth, type_.user

    def write(value: Value) -> str:
        key = cast(StackKey, value)
        # A negative id is the kernel's error number: nothing was taken.
        addresses = names.read_stack(key.id, depth) if key.id >= 0 else ()
        if user:
            frames = [names.user_frame(address, key.pid, mode) for address in addresses]
        else:
            frames = [names.kernel_frame(address, mode) for address in addresses]
        text = "".join(f"{frame}\n" for frame in frames)
        return f"\n{text.replace(' ', '') if compact else text}"

    return write


def _user_symbol(value: UserAddress, names: Names) -> str:
    return names.user_symbol(value.address, value.pid) if value.address else hexadecimal(0)
