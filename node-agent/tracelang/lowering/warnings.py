"""Warnings while a program runs: events that are sent only when something went wrong."""

from __future__ import annotations

from tracelang import ir
from tracelang.lowering.body import Body
from tracelang.lowering.convert import convert, integer
from tracelang.plan import EventKind
from tracelang.source import Span
from tracelang.types import BOOL, Type

_OUT_OF_BOUNDS = "Array access out of bounds. This can lead to unexpected results."


def warn_when_run(body: Body, span: Span, message: str, *, helper: str = "", code: int = 0) -> tuple[ir.Stmt, ...]:
    """What tells it; nothing under --no-warnings."""
    if not body.analysis.options.warnings:
        return ()
    options: dict[str, int | str] = {"quote": body.analysis.quoted(span)}
    if helper:
        options |= {"helper": helper, "code": code}
    event = body.analysis.add_event(EventKind.RUNTIME_ERROR, (), span=span, text=message, options=options)
    return (ir.Emit(span, event, ()),)


def divided(body: Body, span: Span, operator: str, *, left: ir.Expr, right: ir.Expr, type_: Type) -> ir.Expr:
    """`left / right` and `left % right`: 1, and a warning, when the right side is zero."""
    if isinstance(right, ir.Constant):
        return ir.Arithmetic(span, type_, operator, left, right)
    divisor = ir.Local(span, type_, body.new_local("divisor", type_))
    number = ir.Local(span, type_, body.new_local("number", type_))
    message = "Divide or modulo by 0 detected. This can lead to unexpected results. 1 is being used as the result."
    one = convert(integer(span, 1), type_)
    told = warn_when_run(body, span, message)
    return ir.Sequence(
        span,
        type_,
        (ir.SetLocal(span, number.slot, left), ir.SetLocal(span, divisor.slot, right)),
        ir.Select(
            span,
            type_,
            ir.Compare(span, BOOL, "==", divisor, convert(integer(span, 0), type_)),
            ir.Sequence(span, type_, told, one) if told else one,
            ir.Arithmetic(span, type_, operator, number, divisor),
        ),
    )


def checked_index(body: Body, span: Span, index: ir.Expr, count: int) -> ir.Expr:
    """An index into an array of `count` elements: a warning when it lies behind the last; 0 elements: any may be."""
    told = warn_when_run(body, span, _OUT_OF_BOUNDS)
    if not told or not count:
        return index
    number = ir.Local(span, index.type, body.new_local("index", index.type))
    beyond = ir.Compare(span, BOOL, ">=", number, convert(integer(span, count), index.type))
    return ir.Sequence(span, index.type, (ir.SetLocal(span, number.slot, index), ir.If(span, beyond, told, ())), number)


def deleted(body: Body, value: ir.DeleteKey) -> tuple[ir.Stmt, ...]:
    """A delete() whose result nobody looks at (-k)."""
    if not body.analysis.options.runtime_warnings:
        return (ir.Evaluate(value.span, value),)
    message = "Can't delete map element because it does not exist."
    told = warn_when_run(body, value.span, message, helper="map_delete_elem", code=-2)
    return (ir.If(value.span, value, (), told),)


def looked_up(body: Body, value: ir.MapValue) -> ir.Expr:
    """A key that is read (-k)."""
    if not body.analysis.options.runtime_warnings or value.key is None:
        return value
    message = "Can't lookup map element because it does not exist."
    there = ir.HasKey(value.span, BOOL, value.map, value.key)
    told = warn_when_run(body, value.span, message, helper="map_lookup_elem")
    return ir.Sequence(value.span, value.type, (ir.If(value.span, there, (), told),), value)


def bounded(body: Body, span: Span, element: ir.Element) -> ir.Expr:
    """`array[i]` of a number: 0, and a warning, where the array has no such element."""
    slot = body.new_local("index", element.index.type)
    index = ir.Local(span, element.index.type, slot)
    inside = ir.Element(span, element.type, element.base, index, element.stride, element.count)
    told = warn_when_run(body, span, _OUT_OF_BOUNDS)
    zero = ir.Constant(span, element.type, 0)
    limit = ir.Constant(span, element.index.type, element.count)
    return ir.Sequence(
        span,
        element.type,
        (ir.SetLocal(span, slot, element.index),),
        ir.Select(
            span,
            element.type,
            ir.Compare(span, BOOL, "<", index, limit),
            inside,
            ir.Sequence(span, element.type, told, zero) if told else zero,
        ),
    )


MAP_FULL = (
    "Map full; can't update element. Try increasing max_map_keys config or manually setting the max entries in a map "
    "declaration e.g. `let @a = hash(5000)`"
)


def watch(body: Body, node: ir.Expr | ir.Stmt) -> None:
    """The helpers that `node` becomes may fail: reads are told of with -k, maps that are full on a terminal."""
    analysis = body.analysis
    match node:
        case ir.SetMap() | ir.Aggregate() | ir.MapAdd() if analysis.options.interactive and node.key is not None:
            analysis.failure("full", node.span, helper="map_update_elem", message=MAP_FULL)
        case ir.Intrinsic(kind=ir.IntrinsicKind.READ_STRING) if analysis.options.runtime_warnings:
            analysis.failure("read", node.span, helper="probe_read_str")
        case ir.Intrinsic(kind=ir.IntrinsicKind.READ_BUFFER) if analysis.options.runtime_warnings:
            analysis.failure("read", node.span, helper="probe_read")
        case ir.Dereference() | ir.Member() | ir.Element() | ir.BitField() if analysis.options.runtime_warnings:
            analysis.failure("read", node.span, helper="probe_read")
        case _:
            pass
