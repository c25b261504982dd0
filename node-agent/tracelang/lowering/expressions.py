"""Expressions: one function per kind of node; the dispatch is `lower_expression`."""

from __future__ import annotations

from tracelang import ir, nodes
from tracelang.literals import written_number
from tracelang.lowering.access import lower_element, lower_field, lower_tuple_access
from tracelang.lowering.body import Body, missing
from tracelang.lowering.calls import lower_call
from tracelang.lowering.casts import lower_cast, lower_offsetof, lower_sizeof
from tracelang.lowering.convert import (
    constant_number,
    constant_text,
    convert,
    integer,
    text_constant,
    truth,
)
from tracelang.lowering.identifiers import lower_identifier
from tracelang.lowering.maps import read_map
from tracelang.lowering.operators import lower_binary, lower_increment, lower_unary
from tracelang.lowering.warnings import watch
from tracelang.source import Span
from tracelang.type_rules import UnresolvedType, base_name, harden, is_known, is_truth, promote, show
from tracelang.types import (
    BOOL,
    NONE,
    S64,
    U64,
    NoneType,
    RecordType,
    TupleType,
)


def lower_expression(body: Body, node: nodes.Expression) -> ir.Expr:
    """The typed form of `node`; UNRESOLVED when it is in error or isn't known in this round."""
    value = _lower(body, node)
    watch(body, value)
    return value


def _lower(body: Body, node: nodes.Expression) -> ir.Expr:
    match node:
        case nodes.Integer(value=value):
            return integer(node.span, value)
        case nodes.String(value=value):
            return _text(body, node.span, value)
        case nodes.Boolean(value=value):
            return ir.Constant(node.span, BOOL, int(value))
        case nodes.Identifier():
            return lower_identifier(body, node)
        case nodes.PositionalParameter():
            return _positional(body, node)
        case nodes.PositionalCount():
            return ir.Constant(node.span, U64, len(body.analysis.options.positional))
        case nodes.Variable():
            return _variable(body, node)
        case nodes.Map():
            return read_map(body, node)
        case nodes.Call():
            return lower_call(body, node)
        case nodes.Binary():
            return lower_binary(body, node)
        case nodes.Unary():
            return lower_unary(body, node)
        case nodes.Increment():
            return lower_increment(body, node)
        case nodes.FieldAccess():
            return lower_field(body, node)
        case nodes.TupleAccess():
            return lower_tuple_access(body, node)
        case nodes.Index():
            return lower_element(body, node)
        case nodes.Cast():
            return lower_cast(body, node)
        case nodes.Sizeof():
            return lower_sizeof(body, node)
        case nodes.Offsetof():
            return lower_offsetof(body, node)
        case nodes.Ternary():
            return _ternary(body, node)
        case nodes.Tuple():
            return _tuple(body, node)
        case nodes.Record():
            return _record(body, node)
        case nodes.BlockExpression():
            return _block(body, node)
        case nodes.Comptime():
            return _comptime(body, node)
        case nodes.TypeExpression():
            return body.error(node.span, "A type can't stand here: it has no value")
        case _:
            raise AssertionError(f"no rule for {type(node).__name__}")


def _variable(body: Body, node: nodes.Variable) -> ir.Expr:
    found = body.find_variable(node.name) or body.reopen_variable(node.name)
    if found is None:
        return body.unknown_variable(node.name, node.span)
    slot = found[0].slots[node.name]
    if not is_known(body.locals[slot].type):
        body.analysis.unknown_reads.setdefault(node.span, node.name)
    return ir.Local(node.span, body.locals[slot].type, slot)


def _text(body: Body, span: Span, value: str) -> ir.Expr:
    limit = body.analysis.number("max_strlen")
    text = text_constant(span, value)
    if len(text.data) >= limit:
        body.analysis.error(span, f"String is too long (over {limit} bytes): {value}")
    return text


def _positional(body: Body, node: nodes.PositionalParameter) -> ir.Expr:
    """A number when it looks like one, else text; 0 when it wasn't given."""
    given = body.analysis.options.positional
    if node.index < 1:
        return body.error(node.span, f"Positional parameters are numbered from 1, so there is no ${node.index}")
    if node.index > len(given):
        body.warn(node.span, f"Positional parameter ${node.index} is empty or not provided.")
        return integer(node.span, 0, S64)
    text = given[node.index - 1]
    number = written_number(text)
    if number is None:
        return text_constant(node.span, text)
    return integer(node.span, number, S64 if number < 1 << 63 else U64)


def _ternary(body: Body, node: nodes.Ternary) -> ir.Expr:
    condition = lower_condition(body, node.condition) if node.then else body.lower(body, node.condition)
    then = condition if node.then is None else None
    known = constant_number(condition)
    if known is not None and node.then is not None:
        return body.lower(body, node.then if known else node.otherwise)  # the other side never runs: its type is free
    if then is None:
        assert node.then is not None
        then = body.lower(body, node.then)
    otherwise = body.lower(body, node.otherwise)
    if isinstance(then.type, UnresolvedType) or isinstance(otherwise.type, UnresolvedType):
        return missing(node.span)
    if not check_condition(body, condition):
        return missing(node.span)
    both = promote(then.type, otherwise.type)
    if both is None:
        return body.error(
            node.span,
            "Branches must return the same type or compatible types: "
            f"have '{show(then.type)}' and '{show(otherwise.type)}'",
        )
    if isinstance(both, NoneType):
        return ir.Select(node.span, NONE, truth(condition), then, otherwise)
    if known is not None:
        return convert(then if known else otherwise, both)
    return ir.Select(node.span, harden(both), truth(condition), convert(then, both), convert(otherwise, both))


def lower_condition(body: Body, node: nodes.Expression) -> ir.Expr:
    """A literal text is a condition too: true unless it is empty."""
    value = body.lower(body, node)
    text = constant_text(value)
    return value if text is None else ir.Constant(value.span, BOOL, int(text != ""))


def check_condition(body: Body, condition: ir.Expr) -> bool:
    """Whether it can be true or false; told when not."""
    if is_truth(condition.type):
        return True
    body.error(
        condition.span,
        f"Invalid condition: {base_name(condition.type)} (a condition is a number, a boolean or a pointer)",
    )
    return False


def _tuple(body: Body, node: nodes.Tuple) -> ir.Expr:
    elements = tuple(body.lower(body, element) for element in node.elements)
    for element in elements:
        if isinstance(element.type, NoneType):
            return body.error(element.span, "This has no value, so it can't be part of a tuple")
    return ir.MakeTuple(node.span, TupleType(tuple(element.type for element in elements)), elements)


def _record(body: Body, node: nodes.Record) -> ir.Expr:
    seen: set[str] = set()
    for name, value in node.fields:
        if name in seen:
            return body.error(value.span, f"The record has two fields called '{name}'")
        seen.add(name)
    elements = tuple(body.lower(body, value) for _, value in node.fields)
    for element in elements:
        if isinstance(element.type, NoneType):
            return body.error(element.span, "This has no value, so it can't be part of a record")
    fields = tuple((name, element.type) for (name, _), element in zip(node.fields, elements, strict=True))
    return ir.MakeTuple(node.span, RecordType(fields), elements)


def _block(body: Body, node: nodes.BlockExpression) -> ir.Expr:
    from tracelang.lowering.statements import lower_statements

    with body.scope(node), body.analysis.called(node.call if isinstance(node, nodes.Expansion) else None):
        statements = lower_statements(body, node.statements, inside=node.span)
        value = body.lower(body, node.value) if node.value is not None else None
    if value is None:
        return ir.Sequence(node.span, NONE, statements, None)
    if not statements:
        return value
    if isinstance(value.type, UnresolvedType):
        return missing(node.span)
    if isinstance(value.type, NoneType):
        return ir.Sequence(node.span, NONE, (*statements, ir.Evaluate(value.span, value)), None)
    return ir.Sequence(node.span, harden(value.type), statements, convert(value, value.type))


def _comptime(body: Body, node: nodes.Comptime) -> ir.Expr:
    value = body.lower(body, node.operand)
    if isinstance(value.type, UnresolvedType) or constant_number(value) is not None or constant_text(value) is not None:
        return value
    return body.error(node.span, "Unable to resolve comptime expression: it isn't known before the program runs")
