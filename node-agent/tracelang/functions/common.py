"""What rules of functions share: literal arguments, addresses, messages."""

from __future__ import annotations

from tracelang import ir, nodes
from tracelang.lowering.body import Body
from tracelang.lowering.casts import address_space_of
from tracelang.lowering.convert import constant_number, constant_text, convert, place_space
from tracelang.type_rules import UnresolvedType, base_name
from tracelang.types import U64, AddressSpace, PointerType, is_integer, is_scalar


def arguments(body: Body, call: nodes.Call) -> list[ir.Expr] | None:
    """All arguments; None when one of them isn't known."""
    lowered = [body.lower(body, argument) for argument in call.arguments]
    return None if any(isinstance(item.type, UnresolvedType) for item in lowered) else lowered


def literal_text(body: Body, call: nodes.Call, index: int) -> str | None:
    """The argument, when it is a string that is known now; else told. The limit of strings isn't for these."""
    node = call.arguments[index]
    if isinstance(node, nodes.String):
        return node.value
    argument = body.lower(body, call.arguments[index])
    if isinstance(argument.type, UnresolvedType):
        return None
    text = constant_text(argument)
    if text is None:
        hint = ""
        if isinstance(node, nodes.PositionalParameter):
            hint = f"Use str(${node.index}) to treat ${node.index} as a string"
        body.error(argument.span, f"{call.name}() expects a string literal ({base_name(argument.type)} provided)", hint)
    return text


def literal_number(body: Body, call: nodes.Call, index: int) -> int | None:
    argument = body.lower(body, call.arguments[index])
    if isinstance(argument.type, UnresolvedType):
        return None
    number = constant_number(argument)
    if number is None or not is_integer(argument.type):
        body.error(argument.span, f"{call.name}() expects a int literal ({base_name(argument.type)} provided)")
        return None
    return number


def address(body: Body, value: ir.Expr) -> tuple[ir.Expr, AddressSpace]:
    """`value` as an address, and where it points to. A place is given as it is, with the space that it is in."""
    if isinstance(value.type, PointerType):
        space = value.type.space if value.type.space is not AddressSpace.NONE else body.space
        return value, space
    if is_scalar(value.type):
        space = address_space_of(body, value)
        return convert(value, U64), space if space is not AddressSpace.NONE else body.space
    return value, place_space(value)


def only_supports(body: Body, call: nodes.Call, what: str, value: ir.Expr) -> ir.Expr:
    return body.error(value.span, f"{call.name}() only supports {what} arguments ({base_name(value.type)} provided)")
