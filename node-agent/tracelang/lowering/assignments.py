"""Assignments and declarations: to scratch variables, to maps, and through pointers."""

from __future__ import annotations

from tracelang import ir, nodes
from tracelang.diagnostics import Note
from tracelang.lowering.access import keep_layouts
from tracelang.lowering.aggregates import MAP_FUNCTIONS, lower_aggregate
from tracelang.lowering.body import Body
from tracelang.lowering.casts import written_type
from tracelang.lowering.convert import constant_number, convert, integer
from tracelang.lowering.increments import COUNTER
from tracelang.lowering.maps import map_key, use_map
from tracelang.lowering.operators import binary
from tracelang.lowering.pointers import origin_space
from tracelang.source import Span
from tracelang.structs import replace
from tracelang.symbols import MapSymbol, VariableSymbol
from tracelang.type_rules import (
    UNRESOLVED,
    UnresolvedType,
    aggregate_name,
    arithmetic_type,
    harden,
    is_known,
    promote,
    show,
    yielded_type,
)
from tracelang.types import (
    S64,
    U64,
    AggregateType,
    BufferType,
    IntType,
    NoneType,
    PointerType,
    StringType,
    Type,
    VoidType,
    is_integer,
    is_scalar,
)

Statements = tuple[ir.Stmt, ...]


def lower_assign(body: Body, node: nodes.Assign) -> Statements:
    match node.target:
        case nodes.Variable():
            return _assign_variable(body, node, node.target)
        case nodes.Map():
            return _assign_map(body, node, node.target)
        case nodes.FieldAccess() | nodes.Unary() | nodes.Index():
            return _store(body, node)
        case nodes.TupleAccess():
            body.error(
                node.span,
                "Tuples and records are immutable once created.",
                "Consider creating a new value and assigning it instead.",
            )
            return ()
    body.error(node.target.span, "This can't be assigned to: the left side has to be a variable or a map")
    return ()


# --- scratch variables


def lower_declare(body: Body, node: nodes.Declare) -> Statements:
    """`let $x`, with a type, a value, both or neither."""
    name = node.variable.name
    found = body.find_variable(name)
    if found is not None:
        body.error(
            node.span,
            f"Variable ${name} was already declared. Variable shadowing is not allowed.",
            notes=(Note(found[1].span, "This is the initial declaration."),),
        )
        return ()
    written = written_type(body, node.type) if node.type is not None else None
    # The value is looked at first: `let $x = $x` has no $x yet.
    value = body.lower(body, node.value) if node.value is not None else None
    scope, symbol = body.declare_variable(name, node.variable.span)
    symbol.explicit = True
    slot = scope.slots[name]
    if written is not None and not isinstance(written, UnresolvedType):
        if not _declarable(written):
            body.error(node.span, f"Invalid variable declaration type: {show(written)}")
            return ()
        symbol.declared = _has_size(written)
        if symbol.type == UNRESOLVED or symbol.declared:
            symbol.type = written
        body.locals[slot] = ir.LocalVariable(name, harden(symbol.type))
    if value is None:
        type_ = body.locals[slot].type
        if not is_scalar(type_) and not isinstance(type_, StringType):
            return ()
        return (ir.SetLocal(node.span, slot, zero(node, type_)),)
    return _set_variable(body, value, symbol, slot, span=node.span)


def _declarable(type_: Type) -> bool:
    return not isinstance(type_, VoidType | NoneType | AggregateType)


def _has_size(type_: Type) -> bool:
    return not (isinstance(type_, StringType | BufferType) and not type_.size)


def zero(node: nodes.Node, type_: Type) -> ir.Expr:
    """A variable that is declared without a value is zero bytes."""
    if isinstance(type_, StringType):
        return ir.StringConstant(node.span, type_, b"")
    return ir.Constant(node.span, type_, 0)


def _assign_variable(body: Body, node: nodes.Assign, target: nodes.Variable) -> Statements:
    if isinstance(node.value, nodes.Call) and node.value.name in MAP_FUNCTIONS:
        body.error(node.value.span, f"{node.value.name}() must be assigned directly to a map")
        return ()
    found = body.find_variable(target.name)
    if node.operator:
        if found is None:
            body.unknown_variable(target.name, target.span)
            return ()
        value = _combined(body, node, body.lower(body, target))
        if found[1].declared and is_integer(value.type) and is_integer(found[1].type):
            value = convert(value, found[1].type)
    else:
        value = body.lower(body, node.value)
    scope, symbol = found if found is not None else body.declare_variable(target.name, target.span)
    return _set_variable(body, value, symbol, scope.slots[target.name], span=node.span)


def _combined(body: Body, node: nodes.Assign, left: ir.Expr) -> ir.Expr:
    """`target op value` of a compound assignment."""
    expression = nodes.Binary(node.span, node.operator, node.target, node.value)
    return binary(body, expression, left=left, right=body.lower(body, node.value))


def _fitted(value: ir.Expr, declared: Type) -> ir.Expr:
    """A number that the declared type can hold has that type: `let $x: uint8; $x = 255`."""
    if not isinstance(value, ir.Constant) or not isinstance(value.type, IntType) or not isinstance(declared, IntType):
        return value
    low = -(1 << declared.bits - 1) if declared.signed else 0
    fits = low <= value.value < low + (1 << declared.bits)
    return ir.Constant(value.span, declared, value.value) if fits else value


def _set_variable(body: Body, value: ir.Expr, symbol: VariableSymbol, slot: int, *, span: Span) -> Statements:
    if isinstance(value.type, NoneType | VoidType):
        body.error(span, "Value 'void' cannot be assigned to a scratch variable.")
        return ()
    if symbol.declared:
        value = _fitted(value, symbol.type)
    if not is_known(value.type) or not body.analysis.grow_variable(symbol, value.type, span):
        return ()
    symbol.assigned = True
    space = origin_space(body, value)
    body.local_spaces[slot] = space
    type_ = body.locals[slot].type
    if isinstance(type_, UnresolvedType):
        # Known from now on; a further round makes the local of the right type.
        body.locals[slot] = ir.LocalVariable(symbol.name, harden(symbol.type))
        type_ = body.locals[slot].type
    if promote(type_, value.type) is None:
        return ()
    return (ir.SetLocal(span, slot, convert(value, type_)),)


# --- maps


def _assign_map(body: Body, node: nodes.Assign, target: nodes.Map) -> Statements:
    if isinstance(node.value, nodes.Call) and node.value.name in MAP_FUNCTIONS:
        if node.operator:
            body.error(node.span, f"{node.value.name}() can only be assigned with a plain =")
            return ()
        return lower_aggregate(body, target, node.value)
    if isinstance(node.value, nodes.BlockExpression) and _ends_in_map_function(node.value):
        return _assign_from_block(body, node, target, node.value)
    symbol = use_map(body, target, writes=True)
    if symbol is None:
        return ()
    if node.operator:
        return _update_map(body, node, target, symbol)
    symbol.only_added = False
    key = map_key(body, target, symbol)
    value = body.lower(body, node.value)
    if not _storable(body, node, symbol, value):
        return ()
    if not is_known(value.type) or not body.analysis.grow_value(symbol, value.type, node.span):
        return ()
    symbol.space = origin_space(body, value)
    keep_layouts(body, value.type)
    if key is not None:
        keep_layouts(body, key.type)
    if key is not None and not is_known(key.type):
        return ()
    return (ir.SetMap(node.span, symbol.name, key, convert(value, symbol.value)),)


def _ends_in_map_function(block: nodes.BlockExpression) -> bool:
    if isinstance(block.value, nodes.BlockExpression):
        return _ends_in_map_function(block.value)
    return isinstance(block.value, nodes.Call) and block.value.name in MAP_FUNCTIONS


def _assign_from_block(body: Body, node: nodes.Assign, target: nodes.Map, block: nodes.BlockExpression) -> Statements:
    """`@m = { statements; avg($x) }`: the map function counts where the block ends."""
    from tracelang.lowering.statements import lower_statements

    assert block.value is not None
    call = block.call if isinstance(block, nodes.Expansion) else None
    with body.scope(block), body.analysis.called(call):
        statements = lower_statements(body, block.statements, inside=block.span)
        return (*statements, *_assign_map(body, replace(node, value=block.value), target))


def _storable(body: Body, node: nodes.Assign, symbol: MapSymbol, value: ir.Expr) -> bool:
    if isinstance(value.type, NoneType | VoidType):
        body.error(node.span, "Value 'void' cannot be assigned to a map.")
        return False
    source = node.value
    if isinstance(source, nodes.Map) and not isinstance(symbol.value, IntType):
        aggregate = body.analysis.map(source.name).aggregate
        if aggregate is not None and yielded_type(aggregate) is not None:
            body.error(
                node.span,
                f"Map value '{show(aggregate)}' cannot be assigned from one map to another. The function that returns "
                f"this type must be called directly e.g. `@{symbol.name} = {aggregate_name(aggregate)};`.",
                "Add a cast to integer if you want the value of the aggregate, "
                f"e.g. `@{symbol.name} = (int64)@{source.name};`.",
            )
            return False
    return True


def _update_map(body: Body, node: nodes.Assign, target: nodes.Map, symbol: MapSymbol) -> Statements:
    """`@m op= value`: addition of integers is atomic, all else reads, computes and writes."""
    key = map_key(body, target, symbol)
    if symbol.aggregate is not None:
        body.analysis.grow_value(symbol, S64, node.span)  # tells what it is already
        return ()
    if node.operator in ("+", "-") and isinstance(symbol.value, UnresolvedType | IntType):
        return _add_to_map(body, node, symbol, key)
    symbol.only_added = False
    if isinstance(symbol.value, UnresolvedType):
        body.analysis.grow_value(symbol, COUNTER, node.span)
    old = ir.MapValue(node.span, harden(symbol.value), symbol.name, key)
    value = _combined(body, node, old)
    if not is_known(value.type) or not body.analysis.grow_value(symbol, value.type, node.span):
        return ()
    return (ir.SetMap(node.span, symbol.name, key, convert(value, symbol.value)),)


def _add_to_map(body: Body, node: nodes.Assign, symbol: MapSymbol, key: ir.Expr | None) -> Statements:
    value = body.lower(body, node.value)
    if isinstance(value.type, UnresolvedType):
        body.analysis.grow_value(symbol, COUNTER, node.span)
        return ()
    if not is_integer(value.type):
        known = symbol.value if not isinstance(symbol.value, UnresolvedType) else S64
        body.error(
            node.span,
            f"The {node.operator}= operator can not be used on expressions of types {show(known)}, {show(value.type)}",
        )
        return ()
    current = symbol.value if isinstance(symbol.value, IntType) else COUNTER
    wide = arithmetic_type("+", current, value.type)
    body.analysis.grow_value(symbol, COUNTER if isinstance(value.type, type(COUNTER)) else wide, node.span)
    type_ = harden(symbol.value)
    amount = convert(value, S64 if isinstance(type_, IntType) and type_.signed else U64)
    if node.operator == "-":
        number = constant_number(amount)
        amount = (
            integer(node.span, -number, S64) if number is not None else ir.Unary(node.span, amount.type, "-", amount)
        )
    add = ir.MapAdd(node.span, type_, symbol.name, key, convert(amount, type_), False)
    return (ir.Evaluate(node.span, add),)


# --- through pointers


def _store(body: Body, node: nodes.Assign) -> Statements:
    place = body.lower(body, node.target)
    value = body.lower(body, node.value) if not node.operator else _combined(body, node, place)
    if isinstance(place.type, UnresolvedType) or isinstance(value.type, UnresolvedType):
        return ()
    if not body.analysis.options.unsafe:
        body.error(
            node.span,
            "Writing to memory is unsafe: fields, array elements and what pointers point to can't be assigned",
            "variables and maps can; with --unsafe, memory too",
        )
        return ()
    both = promote(place.type, value.type)
    if both is None and not (is_integer(place.type) and is_integer(value.type)):
        body.error(node.span, f"Type mismatch: a '{show(value.type)}' can't be written where a '{show(place.type)}' is")
        return ()
    space = origin_space(body, place)
    address = ir.AddressOf(node.span, PointerType(harden(place.type), space), place)
    return (ir.Store(node.span, address, convert(value, place.type), space),)
