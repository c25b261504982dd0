"""`++` and `--` on scratch variables and maps, as statements or as values."""

from __future__ import annotations

from tracelang import ir, nodes
from tracelang.lowering.body import Body, missing
from tracelang.lowering.convert import convert, integer
from tracelang.lowering.maps import map_key, use_map
from tracelang.type_rules import LiteralType, UnresolvedType, harden, pointed_size, show
from tracelang.types import S64, IntType, PointerType, Type

COUNTER = LiteralType(bits=64, signed=True)
"""What a map or variable that is only counted up holds: 64 bits, of the sign that other assignments give it."""


def lower_increment(body: Body, node: nodes.Increment) -> ir.Expr:
    match node.target:
        case nodes.Map():
            return _increment_map(body, node, node.target)
        case nodes.Variable():
            return _increment_variable(body, node, node.target)
    symbol = "++" if node.step > 0 else "--"
    return body.error(node.span, f"The {symbol} operator must be applied to a map or variable")


def _increment_map(body: Body, node: nodes.Increment, target: nodes.Map) -> ir.Expr:
    analysis = body.analysis
    symbol = use_map(body, target, writes=True)
    if symbol is None:
        return missing(node.span)
    key = map_key(body, target, symbol)
    if isinstance(symbol.value, PointerType):
        symbol.only_added = False
        return _step_pointer_map(node, symbol.name, key, symbol.value)
    if not isinstance(symbol.value, UnresolvedType | IntType):
        return body.error(
            node.span, f"The {_symbol(node)} operator can not be used on expressions of type '{show(symbol.value)}'"
        )
    analysis.grow_value(symbol, COUNTER, node.span)
    type_ = harden(symbol.value)
    return ir.MapAdd(node.span, type_, symbol.name, key, integer(node.span, node.step, type_), node.postfix)


def _step_pointer_map(node: nodes.Increment, name: str, key: ir.Expr | None, type_: PointerType) -> ir.Expr:
    old = ir.MapValue(node.span, type_, name, key)
    new = ir.PointerAdd(node.span, type_, old, integer(node.span, node.step, S64), pointed_size(type_))
    return ir.Sequence(
        node.span,
        type_,
        (ir.SetMap(node.span, name, key, new),),
        ir.PointerAdd(node.span, type_, old, integer(node.span, -node.step, S64), pointed_size(type_))
        if node.postfix
        else old,
    )


def _increment_variable(body: Body, node: nodes.Increment, target: nodes.Variable) -> ir.Expr:
    found = body.find_variable(target.name)
    if found is None:
        return body.unknown_variable(target.name, target.span)
    scope, symbol = found
    if symbol.read_only:
        return body.error(node.span, f"${target.name} is the variable of a loop and can't be changed")
    slot = scope.slots[target.name]
    if isinstance(symbol.type, UnresolvedType):
        return missing(node.span)
    if not isinstance(symbol.type, IntType | PointerType):
        return body.error(
            node.span, f"The {_symbol(node)} operator can not be used on expressions of type '{show(symbol.type)}'"
        )
    if isinstance(symbol.type, IntType) and not symbol.declared:
        body.analysis.grow_variable(symbol, COUNTER, node.span)
    type_ = body.locals[slot].type
    local = ir.Local(node.span, type_, slot)
    new = _stepped(node, local, type_, node.step)
    value: ir.Expr = local
    if node.postfix:
        # The old value, from the new one: no second local is needed, and it is exact in two's complement.
        value = _stepped(node, local, type_, -node.step)
    return ir.Sequence(node.span, type_, (ir.SetLocal(node.span, slot, new),), value)


def _stepped(node: nodes.Increment, value: ir.Expr, type_: Type, step: int) -> ir.Expr:
    if isinstance(type_, PointerType):
        return ir.PointerAdd(node.span, type_, value, integer(node.span, step, S64), pointed_size(type_))
    wide = S64 if isinstance(type_, IntType) and type_.signed else IntType(64, signed=False)
    result = ir.Arithmetic(node.span, wide, "+", convert(value, wide), convert(integer(node.span, step), wide))
    return convert(result, type_)


def _symbol(node: nodes.Increment) -> str:
    return "++" if node.step > 0 else "--"
