"""The value of a constant expression in C: array sizes, bit-field widths, enum values."""

from __future__ import annotations

from collections.abc import Mapping

from tracelang import nodes


def constant_value(expression: nodes.Expression, names: Mapping[str, int]) -> int | None:
    """The number that `expression` stands for, given the values of `names`; None when it isn't constant."""
    match expression:
        case nodes.Integer(value=value):
            return value
        case nodes.Identifier(name=name):
            return names.get(name)
        case nodes.Cast(operand=operand):
            return constant_value(operand, names)
        case nodes.Unary(operator=operator, operand=operand):
            inner = constant_value(operand, names)
            return None if inner is None else _unary(operator, inner)
        case nodes.Binary(operator=operator, left=left, right=right):
            first, second = constant_value(left, names), constant_value(right, names)
            return None if first is None or second is None else _binary(operator, first, second)
        case nodes.Ternary(condition=condition, then=then, otherwise=otherwise):
            chosen = constant_value(condition, names)
            if chosen is None:
                return None
            if chosen:
                return chosen if then is None else constant_value(then, names)
            return constant_value(otherwise, names)
        case _:
            return None


def _unary(operator: str, value: int) -> int | None:
    match operator:
        case "-":
            return -value
        case "~":
            return ~value
        case "!":
            return int(not value)
        case _:
            return None


def _binary(operator: str, left: int, right: int) -> int | None:
    match operator:
        case "+":
            return left + right
        case "-":
            return left - right
        case "*":
            return left * right
        case "/" | "%" if right == 0:
            return None
        case "/":
            quotient = abs(left) // abs(right)
            return quotient if (left < 0) == (right < 0) else -quotient
        case "%":
            return left - right * (_binary("/", left, right) or 0)
        case "<<":
            return left << right if 0 <= right < 64 else None
        case ">>":
            return left >> right if 0 <= right < 64 else None
        case "&":
            return left & right
        case "|":
            return left | right
        case "^":
            return left ^ right
        case "==" | "!=" | "<" | "<=" | ">" | ">=":
            return int(_compare(operator, left, right))
        case "&&":
            return int(bool(left and right))
        case "||":
            return int(bool(left or right))
        case _:
            return None


def _compare(operator: str, left: int, right: int) -> bool:
    match operator:
        case "==":
            return left == right
        case "!=":
            return left != right
        case "<":
            return left < right
        case "<=":
            return left <= right
        case ">":
            return left > right
        case _:
            return left >= right
