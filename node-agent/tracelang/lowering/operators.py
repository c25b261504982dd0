"""Operators: arithmetic in 64 bits, comparisons in a common type, pointers, strings; constants are folded."""

from __future__ import annotations

import operator
from collections.abc import Callable

from tracelang import ir, nodes
from tracelang.lowering.body import Body, missing
from tracelang.lowering.convert import (
    as_text,
    constant_number,
    constant_text,
    convert,
    integer,
    text_constant,
    truth,
    wrap,
)
from tracelang.lowering.increments import lower_increment
from tracelang.lowering.pointers import address_of, dereference
from tracelang.lowering.warnings import divided
from tracelang.type_rules import (
    LiteralType,
    UnresolvedType,
    arithmetic_type,
    comparison_type,
    harden,
    is_truth,
    pointed_size,
    promote,
    promote_pointers,
    show,
)
from tracelang.types import (
    BOOL,
    S64,
    U64,
    Aggregation,
    ArrayType,
    BoolType,
    BufferType,
    EnumType,
    IntType,
    NoneType,
    PointerType,
    RecordType,
    StringType,
    TaggedType,
    TimestampType,
    TupleType,
    Type,
    is_integer,
    size_of,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["lower_binary", "lower_increment", "lower_unary"]

COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def lower_binary(body: Body, node: nodes.Binary) -> ir.Expr:
    left = body.lower(body, node.left)
    right = body.lower(body, node.right)
    return binary(body, node, left=left, right=right)


def binary(body: Body, node: nodes.Binary, *, left: ir.Expr, right: ir.Expr) -> ir.Expr:
    """`left operator right` at the place of `node`."""
    if isinstance(left.type, UnresolvedType) or isinstance(right.type, UnresolvedType):
        return missing(node.span)
    match node.operator:
        case "&&" | "||":
            return _logical(body, node, left=left, right=right)
        case "==" | "!=" | "<" | "<=" | ">" | ">=":
            return _compare(body, node, left=left, right=right)
    return _arithmetic(body, node, left=left, right=right)


# --- logic


def _logical(body: Body, node: nodes.Binary, *, left: ir.Expr, right: ir.Expr) -> ir.Expr:
    for side in (left, right):
        if not is_truth(side.type):
            return _unusable(body, node, left.type, right.type)
    a, b = constant_number(left), constant_number(right)
    if a is not None and b is not None:
        value = bool(a) and bool(b) if node.operator == "&&" else bool(a) or bool(b)
        return ir.Constant(node.span, BOOL, int(value))
    if a is not None and bool(a) == (node.operator == "||"):
        return ir.Constant(node.span, BOOL, int(bool(a)))
    return ir.Logical(node.span, BOOL, node.operator, truth(left), truth(right))


# --- comparisons


def _compare(body: Body, node: nodes.Binary, *, left: ir.Expr, right: ir.Expr) -> ir.Expr:
    if isinstance(left.type, NoneType) or isinstance(right.type, NoneType):
        return _unusable(body, node, left.type, right.type)
    if isinstance(left.type, StringType) or isinstance(right.type, StringType):
        left, right = as_text(body, left), as_text(body, right)
    match left.type, right.type:
        case PointerType(), PointerType():
            if promote_pointers(left.type, right.type) is None:
                body.warn(
                    node.span,
                    f"comparison of distinct pointer types: {show(left.type.target)}, {show(right.type.target)}",
                )
            return _scalar_compare(node, left=left, right=right, type_=U64)
        case (PointerType(), other) | (other, PointerType()) if is_integer(other):
            return _scalar_compare(node, left=left, right=right, type_=U64)
        case StringType(), StringType():
            return _compare_strings(body, node, left=left, right=right)
        case (ArrayType() | TupleType() | RecordType() | BufferType(), _):
            return _compare_memory(body, node, left=left, right=right)
    if is_integer(left.type) and is_integer(right.type):
        return _scalar_compare(node, left=left, right=right, type_=comparison_type(left.type, right.type))
    if isinstance(left.type, TaggedType | TimestampType) and left.type == right.type:
        return _scalar_compare(node, left=left, right=right, type_=U64)
    if type(left.type) is type(right.type) and node.operator in ("==", "!="):
        size = size_of(harden(left.type))
        return ir.MemoryCompare(node.span, BOOL, left, right, size, node.operator == "==")
    hint = ""
    if isinstance(left.type, StringType) != isinstance(right.type, StringType) and (
        is_integer(left.type) or is_integer(right.type) or isinstance(left.type, PointerType)
    ):
        hint = "to read text from an address, use str()"
    return body.error(
        node.span,
        f"Type mismatch for '{node.operator}': comparing {show(left.type)} with {show(right.type)}",
        hint,
    )


def _scalar_compare(node: nodes.Binary, *, left: ir.Expr, right: ir.Expr, type_: Type) -> ir.Expr:
    a, b = convert(left, type_), convert(right, type_)
    x, y = constant_number(a), constant_number(b)
    if x is not None and y is not None:
        return ir.Constant(node.span, BOOL, int(COMPARISONS[node.operator](x, y)))
    return ir.Compare(node.span, BOOL, node.operator, a, b)


def _compare_strings(body: Body, node: nodes.Binary, *, left: ir.Expr, right: ir.Expr) -> ir.Expr:
    """Two literals have an order, by their bytes; of others only equality can be asked."""
    a, b = constant_text(left), constant_text(right)
    if a is not None and b is not None:
        return ir.Constant(node.span, BOOL, int(COMPARISONS[node.operator](a, b)))
    if node.operator not in ("==", "!="):
        return _unusable(body, node, left.type, right.type)
    return ir.StringCompare(node.span, BOOL, left, right, None, node.operator == "==")


def _compare_memory(body: Body, node: nodes.Binary, *, left: ir.Expr, right: ir.Expr) -> ir.Expr:
    both = promote(left.type, right.type)
    if node.operator not in ("==", "!="):
        what = "arrays" if isinstance(left.type, ArrayType) else "these types"
        return body.error(node.span, f"The {node.operator} operator cannot be used on {what}.")
    if isinstance(left.type, ArrayType) and isinstance(right.type, ArrayType):
        if left.type.count != right.type.count:
            return body.error(node.span, "Only arrays of same size support comparison operators.")
        if not is_integer(left.type.element) or left.type != right.type:
            return body.error(node.span, "Only arrays of same sized integer support comparison operators.")
    if both is None:
        return body.error(
            node.span,
            f"Type mismatch for '{node.operator}': comparing {show(left.type)} with {show(right.type)}",
        )
    a, b = convert(left, both), convert(right, both)
    return ir.MemoryCompare(node.span, BOOL, a, b, size_of(harden(both)), node.operator == "==")


# --- arithmetic


def _arithmetic(body: Body, node: nodes.Binary, *, left: ir.Expr, right: ir.Expr) -> ir.Expr:
    if isinstance(left.type, PointerType) or isinstance(right.type, PointerType):
        return _pointer_arithmetic(body, node, left=left, right=right)
    texts = (constant_text(left), constant_text(right))
    if node.operator == "+" and texts[0] is not None and texts[1] is not None:
        return text_constant(node.span, texts[0] + texts[1])
    if not (is_integer(left.type) and is_integer(right.type)):
        return _unusable(body, node, left.type, right.type)
    if node.operator in ("/", "%") and constant_number(right) == 0:
        return body.error(node.span, "unable to fold literals due to overflow or underflow", "it divides by zero")
    folded = _fold(body, node, left=left, right=right)
    if folded is not None:
        return folded
    type_ = arithmetic_type(node.operator, left.type, right.type)
    if node.operator in ("/", "%") and type_.signed and not _is_plain_division(body, left=left, right=right):
        body.warn(
            node.span,
            f"signed operands for '{node.operator}' can lead to undefined behavior "
            "(cast to unsigned to silence warning)",
        )
    is_bool = node.operator in ("&", "|", "^") and isinstance(left.type, BoolType) and isinstance(right.type, BoolType)
    left, right = convert(left, type_), convert(right, type_)
    if is_bool:
        return truth(ir.Arithmetic(node.span, type_, node.operator, left, right))
    if node.operator in ("/", "%"):
        return divided(body, node.span, node.operator, left=left, right=right, type_=type_)
    return ir.Arithmetic(node.span, type_, node.operator, left, right)


def _is_plain_division(body: Body, *, left: ir.Expr, right: ir.Expr) -> bool:
    """Whether it can't surprise: a positive number divides, as in `(nsecs - @start) / 1000`, or both are alike."""
    is_positive = isinstance(right.type, LiteralType) and not right.type.negative
    return is_positive or _is_count(body, left) or harden(left.type) == harden(right.type)


def _is_count(body: Body, value: ir.Expr) -> bool:
    """Whether it is a count() map, which can't be negative."""
    aggregate = body.analysis.map(value.map).aggregate if isinstance(value, ir.MapValue) else None
    return aggregate is not None and aggregate.kind is Aggregation.COUNT


def _fold(body: Body, node: nodes.Binary, *, left: ir.Expr, right: ir.Expr) -> ir.Expr | None:
    """Two constants: literals give a literal, others wrap around in the type of the operation."""
    a, b = constant_number(left), constant_number(right)
    if a is None or b is None:
        return None
    value = fold_integers(node.operator, a, b)
    if isinstance(left.type, LiteralType) and isinstance(right.type, LiteralType):
        if value is not None and node.operator == "<<":
            value = wrap(value, bits=64, signed=value < 0)  # bits that leave at the top are lost
        if value is None or not -(1 << 63) <= value < 1 << 64:
            return body.error(node.span, "unable to fold literals due to overflow or underflow")
        return integer(node.span, value)
    type_ = arithmetic_type(node.operator, left.type, right.type)
    if value is None:
        return None
    if node.operator in ("&", "|", "^") and isinstance(left.type, BoolType) and isinstance(right.type, BoolType):
        return ir.Constant(node.span, BOOL, value)
    return ir.Constant(node.span, type_, wrap(value, bits=64, signed=type_.signed))


def fold_integers(symbol: str, left: int, right: int) -> int | None:
    """What C makes of it; None: it isn't defined."""
    match symbol:
        case "+":
            return left + right
        case "-":
            return left - right
        case "*":
            return left * right
        case "&":
            return left & right
        case "|":
            return left | right
        case "^":
            return left ^ right
        case "<<" if 0 <= right < 64:
            return left << right
        case ">>" if 0 <= right < 64:
            return left >> right
        case "/" if right:
            quotient = abs(left) // abs(right)
            return quotient if (left < 0) == (right < 0) else -quotient
        case "%" if right:
            remainder = abs(left) % abs(right)
            return -remainder if left < 0 else remainder
    return None


def _pointer_arithmetic(body: Body, node: nodes.Binary, *, left: ir.Expr, right: ir.Expr) -> ir.Expr:
    pointer, index = (left, right) if isinstance(left.type, PointerType) else (right, left)
    usable = node.operator == "+" or (node.operator == "-" and pointer is left)
    if not usable or not is_integer(index.type) or not isinstance(pointer.type, PointerType):
        return _unusable(body, node, left.type, right.type)
    steps = convert(index, S64)
    if node.operator == "-":
        number = constant_number(steps)
        steps = integer(index.span, -number, S64) if number is not None else ir.Unary(index.span, S64, "-", steps)
    return ir.PointerAdd(node.span, pointer.type, pointer, steps, pointed_size(pointer.type))


def _unusable(body: Body, node: nodes.Binary, left: Type, right: Type) -> ir.Expr:
    return body.error(
        node.span,
        f"The {node.operator} operator can not be used on expressions of types {show(left)}, {show(right)}",
    )


# --- one operand


def lower_unary(body: Body, node: nodes.Unary) -> ir.Expr:
    if node.operator == "&":
        return address_of(body, node)
    operand = body.lower(body, node.operand)
    if isinstance(operand.type, UnresolvedType):
        return missing(node.span)
    match node.operator:
        case "*":
            return dereference(body, node, operand)
        case "!" if is_truth(operand.type):
            number = constant_number(operand)
            if number is not None:
                return ir.Constant(node.span, BOOL, int(not number))
            return ir.Unary(node.span, BOOL, "!", truth(operand))
        case "+" if is_integer(operand.type):
            return operand
        case "-" | "~" if is_integer(operand.type) and not isinstance(operand.type, BoolType):
            return _negate(body, node, operand) if node.operator == "-" else _inverted(node, operand)
    return body.error(
        node.span,
        f"The {node.operator} operator can not be used on expressions of type '{show(operand.type)}'",
    )


def _negate(body: Body, node: nodes.Unary, operand: ir.Expr) -> ir.Expr:
    number = constant_number(operand)
    if number is not None and isinstance(operand.type, LiteralType):
        if number > 1 << 63:
            return body.error(node.span, f"negative value will underflow: the smallest number is {-1 << 63}")
        return integer(node.span, -number)
    type_ = S64 if isinstance(operand.type, IntType | EnumType) and operand.type.signed else U64
    if number is not None:
        return ir.Constant(node.span, type_, wrap(-number, bits=64, signed=type_.signed))
    return ir.Unary(node.span, type_, "-", convert(operand, type_))


def _inverted(node: nodes.Unary, operand: ir.Expr) -> ir.Expr:
    """`~n` turns as many bits around as n has, of a literal 64; it has no sign."""
    hard = harden(operand.type)
    bits = hard.bits if isinstance(hard, IntType) and not isinstance(operand.type, LiteralType) else 64
    type_ = IntType(bits, signed=False)
    number = constant_number(operand)
    if number is not None:
        return ir.Constant(node.span, U64, wrap(~number, bits=bits, signed=False))
    return convert(ir.Unary(node.span, type_, "~", convert(operand, type_)), U64)
