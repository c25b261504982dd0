"""Conversions between memory types: strings, buffers, tuples and arrays cut, widened or converted element by element.

Comes in: the operand and the wanted type; goes out: a Fill (see `places`).
"""

from __future__ import annotations

from tracelang import ir
from tracelang.codegen import expressions, places
from tracelang.codegen.copy import copy, zero
from tracelang.codegen.values import Place, variable_place
from tracelang.codegen.writer import Writer
from tracelang.types import (
    ArrayType,
    BufferType,
    RecordType,
    StringType,
    TupleType,
    Type,
    is_scalar,
    size_of,
    tuple_layout,
)


def prepare(writer: Writer, operand: ir.Expr, type_: Type, *, zero_fill: bool) -> places.Fill:
    if is_scalar(operand.type):
        return _scalar_as_bytes(writer, operand, type_)
    match operand.type, type_:
        case StringType(size=have), StringType(size=want) if have <= want:
            inner = places.prepare(writer, operand, zero_fill=zero_fill)

            def widen(destination: Place) -> None:
                inner(destination)
                if zero_fill:
                    zero(writer, destination.at(have), want - have)

            return widen
        case StringType(), StringType(size=want):
            source = places.in_our_memory(writer, operand)

            def cut(destination: Place) -> None:
                copy(writer, source=source, destination=destination, size=want - 1)
                writer.emit(f"{destination.at(want - 1).lvalue('u8')} = 0;")

            return cut
        case BufferType(size=have), BufferType(size=want):
            source = places.in_our_memory(writer, operand)
            return lambda destination: _resize_buffer(writer, source, destination, have=have, want=want)
        case (TupleType() | RecordType(), TupleType() | RecordType()):
            return _convert_elements(writer, operand, type_, zero_fill=zero_fill)
        case ArrayType(), ArrayType():
            return _convert_array(writer, operand, type_)
    size = min(size_of(operand.type), size_of(type_))
    source = places.in_our_memory(writer, operand)

    def plain(destination: Place) -> None:
        copy(writer, source=source, destination=destination, size=size)
        zero(writer, destination.at(size), size_of(type_) - size)

    return plain


def _scalar_as_bytes(writer: Writer, operand: ir.Expr, type_: Type) -> places.Fill:
    """(uint8[8])number: the number's own bytes."""
    text = expressions.pinned(writer, expressions.value(writer, operand), operand.type)
    name = writer.temp(operand.type, text, "number")
    size = min(size_of(operand.type), size_of(type_))

    def fill(destination: Place) -> None:
        copy(writer, source=variable_place(name), destination=destination, size=size)
        zero(writer, destination.at(size), size_of(type_) - size)

    return fill


def _resize_buffer(writer: Writer, source: Place, destination: Place, *, have: int, want: int) -> None:
    length = writer.temp_of("u32", source.lvalue("u32"), "length")
    if want < have:
        writer.emit(f"if ({length} > {want}) {length} = {want};")
    writer.emit(f"{destination.lvalue('u32')} = {length};")
    copy(writer, source=source.at(4), destination=destination.at(4), size=min(have, want))
    zero(writer, destination.at(4 + have), want - have)


def _convert_elements(writer: Writer, operand: ir.Expr, type_: Type, *, zero_fill: bool) -> places.Fill:
    have, want = places.element_types(operand.type), places.element_types(type_)
    if isinstance(operand, ir.MakeTuple):
        parts: tuple[ir.Expr, ...] = operand.elements
    else:
        offsets, _ = tuple_layout(have)
        source = places.Known(operand.span, operand.type, places.in_our_memory(writer, operand))
        parts = tuple(ir.Member(operand.span, item, source, at) for item, at in zip(have, offsets, strict=True))
    made = ir.MakeTuple(
        operand.span,
        type_,
        tuple(
            part if part.type == item else ir.Convert(part.span, item, part)
            for part, item in zip(parts, want, strict=True)
        ),
    )
    return places.prepare_tuple(writer, made, zero_fill=zero_fill)


def _convert_array(writer: Writer, operand: ir.Expr, type_: ArrayType) -> places.Fill:
    have = operand.type
    assert isinstance(have, ArrayType)
    source = places.in_our_memory(writer, operand)
    known = places.Known(operand.span, have, source)
    stride = size_of(have.element)
    count = min(have.count, type_.count)
    fills = [
        places.prepare(
            writer,
            ir.Convert(operand.span, type_.element, ir.Member(operand.span, have.element, known, i * stride)),
        )
        for i in range(count)
    ]
    step = size_of(type_.element)

    def fill(destination: Place) -> None:
        for i, one in enumerate(fills):
            one(destination.at(i * step))
        zero(writer, destination.at(count * step), (type_.count - count) * step)

    return fill
