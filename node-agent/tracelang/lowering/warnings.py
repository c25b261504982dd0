"""Warnings while a program runs: events that are sent only when something went wrong."""

from __future__ import annotations

from tracelang import ir
from tracelang.lowering.body import Body
from tracelang.lowering.convert import convert, integer
from tracelang.plan import EventKind
from tracelang.source import Span
from tracelang.types import BOOL, Type


def warn_when_run(body: Body, span: Span, message: str) -> tuple[ir.Stmt, ...]:
    """What tells it; nothing under --no-warnings."""
    if not body.analysis.options.warnings:
        return ()
    text = f"{message}{body.analysis.quoted(span)}\n"
    return (ir.Emit(span, body.analysis.add_event(EventKind.WARNF, (), span=span, text=text), ()),)


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
    told = warn_when_run(body, span, "Array access out of bounds. This can lead to unexpected results.")
    if not told or not count:
        return index
    number = ir.Local(span, index.type, body.new_local("index", index.type))
    beyond = ir.Compare(span, BOOL, ">=", number, convert(integer(span, count), index.type))
    return ir.Sequence(span, index.type, (ir.SetLocal(span, number.slot, index), ir.If(span, beyond, told, ())), number)


def deleted(body: Body, value: ir.DeleteKey) -> tuple[ir.Stmt, ...]:
    """A delete() whose result nobody looks at (-k)."""
    if not body.analysis.options.runtime_warnings:
        return (ir.Evaluate(value.span, value),)
    message = (
        "Can't delete map element because it does not exist.\nAdditional Info - helper: map_delete_elem, retcode: -2"
    )
    return (ir.If(value.span, value, (), warn_when_run(body, value.span, message)),)


def looked_up(body: Body, value: ir.MapValue) -> ir.Expr:
    """A key that is read (-k)."""
    if not body.analysis.options.runtime_warnings or value.key is None:
        return value
    message = (
        "Can't lookup map element because it does not exist.\nAdditional Info - helper: map_lookup_elem, retcode: 0"
    )
    there = ir.HasKey(value.span, BOOL, value.map, value.key)
    told = warn_when_run(body, value.span, message)
    return ir.Sequence(value.span, value.type, (ir.If(value.span, there, (), told),), value)
