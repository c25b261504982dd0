"""printf() compiled once: a format and the record's fields in, a function from a record to its text out.

One `struct` reads all fields of a record at once. Integers keep C's meaning: `%d` of a 64-bit value shows its low 32
bits, `%lx` of a negative int is sign-extended. When no field needs more than that, the whole is two calls.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from typing import Any

from tracejob_agent.output.decode import Buffer, decoder, integer_code
from tracejob_agent.output.names import Names
from tracejob_agent.output.show import escape_bytes, text_writer
from tracelang.plan import EventField
from tracelang.types import BufferType, StringType, Type, size_of

_CONVERSION = re.compile(
    r"%(?P<flags>[-+ #0]*)(?P<width>\d*)(?:\.\d*)?(?P<length>hh|h|ll|l|j|z|t|L)?(?P<kind>r[xh]|gr|[diouxXcsprn%])"
)
_SHORT = 64
_REMEMBERED = 4096
_LENGTH_BITS = {"hh": 8, "h": 16, "": 32, "l": 64, "ll": 64, "j": 64, "z": 64, "t": 64, "L": 64}
_CODES = {8: "b", 16: "h", 32: "i", 64: "q"}

Convert = Callable[[Any], object]  # Any: what the field's struct code unpacks to
Formatter = Callable[[Buffer], str]


def compile_format(template: str, fields: tuple[EventField, ...], names: Names) -> Formatter:
    """The function that makes the text of one record."""
    return _assemble(*parse_format(template, fields, names))


class Memo(dict[bytes, str]):
    """What a conversion gave before; a look-up is half of what calling even a cached function takes."""

    def __init__(self, convert: Callable[[bytes], str]) -> None:
        super().__init__()
        self._convert = convert

    def __missing__(self, raw: bytes) -> str:
        if len(self) >= _REMEMBERED:
            self.clear()
        text = self[raw] = self._convert(raw)
        return text


Reader = tuple[str, int, int, Convert | None]
"""A field: struct code, offset, size, conversion."""


def parse_format(template: str, fields: tuple[EventField, ...], names: Names) -> tuple[str, list[Reader]]:
    """Python's format for C's, and how its values are read."""
    pieces: list[str] = []
    readers: list[Reader] = []
    rest = list(fields)
    position = 0
    for match in _CONVERSION.finditer(template):
        pieces.append(template[position : match.start()].replace("%", "%%"))
        position = match.end()
        if match["kind"] == "%":
            pieces.append("%%")
        elif not rest:
            pieces.append(match[0].replace("%", "%%"))
        else:
            field = rest.pop(0)
            specifier, reader = _compile_conversion(match, field, names)
            pieces.append(specifier)
            readers.append(reader)
    pieces.append(template[position:].replace("%", "%%"))
    return "".join(pieces), readers


def _assemble(template: str, readers: list[Reader]) -> Formatter:
    if not readers:
        text = template % ()
        return lambda record: text
    unpack = _record_reader(readers)
    conversions = tuple(convert for *_, convert in readers)
    if not any(conversions):
        return lambda record: template % unpack(record)

    def write(record: Buffer) -> str:
        values = unpack(record)
        return template % tuple(
            [value if convert is None else convert(value) for convert, value in zip(conversions, values, strict=True)]
        )

    return write


def _record_reader(readers: list[Reader]) -> Callable[[Buffer], tuple[Any, ...]]:
    layout = record_layout(readers)
    if layout is None:
        parts = [(struct.Struct(f"<{code}").unpack_from, offset) for code, offset, _, _ in readers]
        return lambda record: tuple(unpack(record, offset)[0] for unpack, offset in parts)
    return struct.Struct(f"<{layout}").unpack_from


def record_layout(readers: list[Reader], size: int = 0) -> str | None:
    """The struct module's codes for all fields, `size` bytes in all; None: they aren't in the record's order."""
    parts, end = [""], 0
    for code, offset, length, _ in readers:
        if offset < end:
            return None
        parts.append(f"{offset - end}x{code}")
        end = offset + length
    if size:
        parts.append(f"{size - end}x")
    return "".join(parts)


def _compile_conversion(
    match: re.Match[str], field: EventField, names: Names
) -> tuple[str, tuple[str, int, int, Convert | None]]:
    """Python's conversion for C's, and how to read the field for it."""
    flags = "".join(dict.fromkeys(match["flags"].replace(" ", "")))
    width, kind = match["width"], match["kind"]
    code = integer_code(field.type)
    if kind in ("d", "i", "u", "o", "x", "X") and code:
        specifier, reader = _integer(kind, bits=_LENGTH_BITS[match["length"] or ""], field=field)
        if kind == "o" and "#" in flags:
            flags, specifier = flags.replace("#", ""), "s"
            reader = (*reader[:3], _octal_with_zero(reader[3]))
        return f"%{flags}{width}{specifier}", reader
    if kind == "gr" and code:
        from tracejob_agent.output.gfp_flags import gfp_text

        return f"%{flags.replace('0', '')}{width}s", (code.upper(), field.offset, size_of(field.type), gfp_text)
    if kind == "p" and code:
        return f"%{flags.replace('0', '')}{width}s", (code, field.offset, size_of(field.type), _pointer)
    if kind == "c" and code:
        return f"%{flags.replace('0', '')}{width}s", (code, field.offset, size_of(field.type), _character)
    flags = "-" if "-" in flags else ""
    return f"%{flags}{width}s", (
        f"{size_of(field.type)}s",
        field.offset,
        size_of(field.type),
        _text(kind, field.type, names),
    )


def _integer(kind: str, *, bits: int, field: EventField) -> tuple[str, tuple[str, int, int, Convert | None]]:
    """An integer as C's varargs pass it and its conversion reads it."""
    size = size_of(field.type) * 8
    code = integer_code(field.type).replace("?", "B")
    source_signed = code.islower()
    wanted = _CODES[bits] if kind in ("d", "i") else _CODES[bits].upper()
    specifier = "d" if kind in ("i", "u") else kind
    if bits <= size:  # the low bytes are the value
        return specifier, (wanted, field.offset, bits // 8, None)
    if not source_signed or wanted.islower():  # widening keeps the value
        return specifier, (code, field.offset, size // 8, None)
    mask = (1 << bits) - 1
    return specifier, (code, field.offset, size // 8, lambda value: value & mask)


def _octal_with_zero(convert: Convert | None) -> Convert:
    def write(value: Any) -> str:
        number = convert(value) if convert else value
        return f"0{number:o}" if number else "0"

    return write


def _pointer(value: int) -> str:
    return f"0x{value & 0xFFFFFFFFFFFFFFFF:x}" if value else "0"


def _character(value: int) -> str:
    return bytes([value & 0xFF]).decode("utf-8", "surrogateescape")


def _text(kind: str, type_: Type, names: Names) -> Convert:
    read = decoder(type_, names.layouts)
    if isinstance(type_, BufferType) and kind != "s":
        write: Callable[[Any], str] = {"rx": _hexadecimal_escapes, "rh": _hexadecimal_bytes}.get(kind, escape_bytes)
    else:
        write = text_writer(type_, names)
    if isinstance(type_, StringType) and type_.size <= _SHORT:  # names come again and again
        return Memo(lambda raw: write(read(raw, 0))).__getitem__
    return lambda raw: write(read(raw, 0))


def _hexadecimal_escapes(data: bytes) -> str:
    return "".join(f"\\x{byte:02x}" for byte in data)


def _hexadecimal_bytes(data: bytes) -> str:
    return data.hex(" ")
