"""Conversions: a value becomes one of another type; constants are converted here and now."""

from __future__ import annotations

from tracelang import ir
from tracelang.lowering.body import Body
from tracelang.source import Span
from tracelang.structs import replace
from tracelang.type_rules import UnresolvedType, harden, literal_type
from tracelang.types import (
    BOOL,
    AddressSpace,
    BoolType,
    EnumType,
    IntType,
    PointerType,
    RecordType,
    StringType,
    TaggedType,
    TimestampType,
    TupleType,
    Type,
)


def convert(value: ir.Expr, target: Type) -> ir.Expr:
    """`value` as `target`, which has to be a type that it converts to."""
    target = harden(target)
    if isinstance(value.type, UnresolvedType) or isinstance(target, UnresolvedType):
        return value
    if harden(value.type) == target:
        return value if value.type == target else replace(value, type=target)
    match value, target:
        case ir.Constant(value=number), IntType(bits=bits, signed=signed):
            return ir.Constant(value.span, target, wrap(number, bits=bits, signed=signed))
        case ir.Constant(value=number), EnumType(bits=bits, signed=signed):
            return ir.Constant(value.span, target, wrap(number, bits=bits, signed=signed))
        case ir.Constant(value=number), BoolType():
            return ir.Constant(value.span, BOOL, int(number != 0))
        case ir.Constant(value=number), PointerType() | TimestampType() | TaggedType():
            return ir.Constant(value.span, target, wrap(number, bits=64, signed=False))
        case ir.StringConstant(data=data), StringType(size=size):
            return ir.StringConstant(value.span, target, data[: max(0, size - 1)])
        case ir.MakeTuple(elements=elements), TupleType(elements=types) if len(elements) == len(types):
            parts = tuple(convert(part, type_) for part, type_ in zip(elements, types, strict=True))
            return ir.MakeTuple(value.span, target, parts, value.order)
        case ir.MakeTuple(elements=elements), RecordType(fields=fields) if isinstance(value.type, RecordType):
            by_name = dict(zip((name for name, _ in value.type.fields), elements, strict=True))
            parts = tuple(convert(by_name[name], item) for name, item in fields)
            # The target's fields may stand in another order; values are made in the order in which they are written.
            places = {name: index for index, (name, _) in enumerate(fields)}
            written = [places[name] for name, _ in value.type.fields]
            return ir.MakeTuple(
                value.span, target, parts, tuple(written[index] for index in value.order or range(len(parts)))
            )
        case ir.Select(condition=condition, then=then, otherwise=otherwise), _:
            return ir.Select(value.span, target, condition, convert(then, target), convert(otherwise, target))
    return ir.Convert(value.span, target, value)


def wrap(number: int, *, bits: int, signed: bool) -> int:
    """`number` in two's complement of that width."""
    number &= (1 << bits) - 1
    return number - (1 << bits) if signed and number >> (bits - 1) else number


def truth(value: ir.Expr) -> ir.Expr:
    """`value` as a condition."""
    return convert(value, BOOL)


def integer(span: Span, value: int, type_: Type | None = None) -> ir.Constant:
    """A constant: of the smallest type when none is given."""
    return ir.Constant(span, literal_type(value) if type_ is None else type_, value)


def constant_number(value: ir.Expr) -> int | None:
    """The number, when it is known now."""
    return value.value if isinstance(value, ir.Constant) and not isinstance(value.type, UnresolvedType) else None


def constant_text(value: ir.Expr) -> str | None:
    """The text, when it is known now."""
    return value.data.decode("utf-8", "surrogateescape") if isinstance(value, ir.StringConstant) else None


def text_constant(span: Span, text: str) -> ir.StringConstant:
    data = text.encode("utf-8", "surrogateescape")
    return ir.StringConstant(span, StringType(len(data) + 1), data)


def as_text(body: Body, value: ir.Expr) -> ir.Expr:
    """The probe's name where text is wanted: each place gets a program of its own, with its name as a constant."""
    if isinstance(value, ir.Intrinsic) and value.kind is ir.IntrinsicKind.PROBE_ID:
        body.per_place = True
        return text_constant(value.span, body.location.name)
    return value


def place_space(value: ir.Expr) -> AddressSpace:
    """The address space that the place `value` is in."""
    match value:
        case ir.Dereference(space=space):
            return space
        case ir.Member(base=base) | ir.Element(base=base) | ir.BitField(base=base):
            return place_space(base)
        case ir.ContextPlace():
            return AddressSpace.KERNEL
    return AddressSpace.BPF
