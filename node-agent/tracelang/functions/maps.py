"""Functions on maps: clear, zero, delete, has_key, find, len, is_scalar."""

from __future__ import annotations

from tracelang import ir, nodes
from tracelang.functions.output import emit
from tracelang.functions.table import Function, Rule
from tracelang.kernel_helpers import lack
from tracelang.lowering.body import Body, missing
from tracelang.lowering.maps import lower_key, value_type
from tracelang.plan import EventKind
from tracelang.source import Span
from tracelang.symbols import MapSymbol
from tracelang.type_rules import base_name, harden, is_known
from tracelang.types import BOOL, S64, StackType


def _whole_map(body: Body, call: nodes.Call) -> nodes.Map | None:
    """The first argument, when it is a map without brackets; else told."""
    node = call.arguments[0]
    if not isinstance(node, nodes.Map):
        body.error(node.span, f"{call.name}() expects a map argument")
        return None
    if node.keys is not None:
        body.error(node.span, f"The map passed to {call.name}() should not be indexed by a key")
        return None
    body.analysis.map_reads.setdefault(node.name, node.span)
    return node


def _event(kind: EventKind) -> Rule:
    def lower(body: Body, call: nodes.Call) -> ir.Expr:
        node = _whole_map(body, call)
        return missing(call.span) if node is None else emit(body, call, kind, [], map_name=node.name)

    return lower


def _keyed(body: Body, call: nodes.Call, name: str, key: nodes.Expression) -> tuple[MapSymbol, ir.Expr] | None:
    """The map and the key to look up; the map's key type grows to hold it."""
    symbol = body.analysis.map(name)
    if symbol.keyed is False:
        how = " with two arguments" if call.name == "delete" else ""
        body.error(call.span, f"call to {call.name}(){how} expects a map with explicit keys (non-scalar map)")
        return None
    lowered = lower_key(body, (key,), symbol, key.span)
    return (symbol, lowered) if is_known(lowered.type) else None


def _delete(body: Body, call: nodes.Call) -> ir.Expr:
    """`delete(@m, k)`, the old `delete(@m[k])`, and `delete(@m)` of a scalar map."""
    node = call.arguments[0]
    if not isinstance(node, nodes.Map):
        return body.error(node.span, "delete() expects a map argument: delete(@map, key)")
    body.analysis.map_reads.setdefault(node.name, node.span)
    if len(call.arguments) == 2:
        if node.keys is not None:
            return body.error(node.span, "The map passed to delete() should not be indexed by a key")
        found = _keyed(body, call, node.name, call.arguments[1])
        return missing(call.span) if found is None else ir.DeleteKey(call.span, BOOL, found[0].name, found[1])
    symbol = body.analysis.map(node.name)
    if node.keys is None:
        if symbol.keyed:
            return body.error(
                call.span,
                "call to delete() with a single argument expects a map without explicit keys (scalar map)",
                f"give the key: delete(@{node.name}, key), or clear(@{node.name}) to delete all of them",
            )
        return ir.DeleteKey(call.span, BOOL, node.name, None)
    key = nodes.Tuple(node.span, node.keys) if len(node.keys) > 1 else node.keys[0]
    found = _keyed(body, call, node.name, key)
    return missing(call.span) if found is None else ir.DeleteKey(call.span, BOOL, found[0].name, found[1])


def _has_key(body: Body, call: nodes.Call) -> ir.Expr:
    node = _whole_map(body, call)
    found = _keyed(body, call, node.name, call.arguments[1]) if node is not None else None
    return missing(call.span) if found is None else ir.HasKey(call.span, BOOL, found[0].name, found[1])


def _find(body: Body, call: nodes.Call) -> ir.Expr:
    """`find(@m, k, $v)`: true, and $v is the value, when the key is there."""
    node = _whole_map(body, call)
    variable = call.arguments[2]
    if not isinstance(variable, nodes.Variable):
        return body.error(variable.span, "find() expects a scratch variable as its third argument")
    found = _keyed(body, call, node.name, call.arguments[1]) if node is not None else None
    if found is None:
        return missing(call.span)
    symbol, key = found
    type_ = value_type(body, symbol, call.span)
    if type_ is None or not is_known(type_):
        return missing(call.span)
    return _find_into(body, symbol, key, variable, call.span)


def _find_into(body: Body, symbol: MapSymbol, key: ir.Expr, variable: nodes.Variable, span: Span) -> ir.Expr:
    type_ = value_type(body, symbol, span)
    assert type_ is not None
    known = body.find_variable(variable.name)
    scope, target = known if known is not None else body.declare_variable(variable.name, variable.span)
    if not body.analysis.grow_variable(target, harden(type_), span):
        return missing(span)
    slot = scope.slots[variable.name]
    if harden(target.type) != body.locals[slot].type:
        body.locals[slot] = ir.LocalVariable(variable.name, harden(target.type))
    there = body.new_local("found", BOOL)
    value = ir.MapValue(span, harden(type_), symbol.name, key)
    found = ir.Local(span, BOOL, there)
    return ir.Sequence(
        span,
        BOOL,
        (
            ir.SetLocal(span, there, ir.HasKey(span, BOOL, symbol.name, key)),
            ir.If(span, found, (ir.SetLocal(span, slot, value),), ()),
        ),
        found,
    )


def _len(body: Body, call: nodes.Call) -> ir.Expr:
    node = call.arguments[0]
    if isinstance(node, nodes.Map) and node.keys is None:
        whole = _whole_map(body, call)
        assert whole is not None
        if body.analysis.map(node.name).keyed is False:
            return body.error(call.span, "call to len() expects a map with explicit keys (non-scalar map)")
        reason = lack(body.facts, "bpf_for_each_map_elem", what="len() of a map")
        if reason:
            return body.error(call.span, reason)
        return ir.Intrinsic(call.span, S64, ir.IntrinsicKind.MAP_LENGTH, constants={"map": node.name})
    value = body.lower(body, node)
    if not is_known(value.type):
        return missing(call.span)
    if not isinstance(value.type, StackType):
        return body.error(call.span, f"len() expects a map or stack to be provided, not {base_name(value.type)}")
    return ir.Intrinsic(call.span, S64, ir.IntrinsicKind.STACK_LENGTH, (value,))


def _is_scalar(body: Body, call: nodes.Call) -> ir.Expr:
    node = _whole_map(body, call)
    if node is None:
        return missing(call.span)
    keyed = body.analysis.map(node.name).keyed
    return missing(call.span) if keyed is None else ir.Constant(call.span, BOOL, int(not keyed))


MAPS = (
    Function("clear", "clear(@map)", 1, 1, _event(EventKind.CLEAR_MAP), "delete all keys of a map"),
    Function("zero", "zero(@map)", 1, 1, _event(EventKind.ZERO_MAP), "set all values of a map to zero"),
    Function("delete", "delete(@map, key)", 1, 2, _delete, "delete a key of a map"),
    Function("has_key", "has_key(@map, key)", 2, 2, _has_key, "whether a map has a key"),
    Function("find", "find(@map, key, $value)", 3, 3, _find, "whether a map has a key, and its value"),
    Function("len", "len(@map) or len(stack)", 1, 1, _len, "number of keys of a map, or frames of a stack"),
    Function("is_scalar", "is_scalar(@map)", 1, 1, _is_scalar, "whether a map has no keys"),
)
