"""Statements: assignments, conditions, loops, jumps, and expressions that stand for what they do."""

from __future__ import annotations

from tracelang import ir, nodes
from tracelang.diagnostics import Severity
from tracelang.kernel_helpers import INNER_PLAIN_TURNS, PLAIN_TURNS, lack
from tracelang.lowering.assignments import lower_assign, lower_declare
from tracelang.lowering.body import Body
from tracelang.lowering.convert import constant_number, convert, truth
from tracelang.lowering.expressions import check_condition, lower_condition
from tracelang.lowering.maps import value_type
from tracelang.lowering.warnings import deleted, watch
from tracelang.source import Span
from tracelang.symbols import Scope, VariableSymbol
from tracelang.type_rules import UnresolvedType, harden, is_known, promote, show
from tracelang.types import S64, IntType, NoneType, TupleType, is_integer

MAX_UNROLL = 100


def lower_block(body: Body, block: nodes.Block) -> tuple[ir.Stmt, ...]:
    """A block with a scope of its own."""
    with body.scope(block), body.analysis.called(block.call if isinstance(block, nodes.ExpandedBlock) else None):
        return lower_statements(body, block.statements, inside=block.span)


def lower_statements(body: Body, statements: tuple[nodes.Statement, ...], *, inside: Span) -> tuple[ir.Stmt, ...]:
    """inside: the block that they are in."""
    lowered: list[ir.Stmt] = []
    ended = False
    for statement in statements:
        if ended:
            # A block's value, which no semicolon ends, is the block's own.
            body.warn(inside if _is_value(body, statement) else statement.span, "Unreachable statement.")
        ended = _ends(statement)
        for made in lower_statement(body, statement):
            watch(body, made.value if isinstance(made, ir.Evaluate) else made)
            lowered.append(made)
    return tuple(lowered)


def _ends(statement: nodes.Statement | None) -> bool:
    """Whether nothing behind it in its block runs."""
    match statement:
        case nodes.ExpressionStatement(expression=nodes.Call(name="exit")) | nodes.Jump():
            return True
        case nodes.If(then=then, otherwise=otherwise):
            return _ends(then) and _ends(otherwise)
        case nodes.Block(statements=(*_, last)):
            return _ends(last)
    return False


def _is_value(body: Body, statement: nodes.Statement) -> bool:
    """Whether no semicolon ends the expression, so that it is what its block gives."""
    sources, span = body.analysis.sources, statement.span
    if not isinstance(statement, nodes.ExpressionStatement) or span.source >= len(sources):
        return False
    text = sources[span.source].text
    return not text[: span.end].endswith(";") and text[span.end :].lstrip().startswith("}")


def lower_statement(body: Body, node: nodes.Statement) -> tuple[ir.Stmt, ...]:
    match node:
        case nodes.ExpressionStatement(expression=expression):
            return _expression(body, expression)
        case nodes.Assign():
            return lower_assign(body, node)
        case nodes.Declare():
            return lower_declare(body, node)
        case nodes.Discard(value=value):
            return unwrap(body.lower(body, value))
        case nodes.Block():
            return lower_block(body, node)
        case nodes.If():
            return _if(body, node)
        case nodes.While():
            return _while(body, node)
        case nodes.Unroll():
            return _unroll(body, node)
        case nodes.ForMap():
            return _for_map(body, node)
        case nodes.ForRange():
            return _for_range(body, node)
        case nodes.Jump():
            return _jump(body, node)
        case _:
            raise AssertionError(f"no rule for {type(node).__name__}")


def _expression(body: Body, node: nodes.Expression) -> tuple[ir.Stmt, ...]:
    value = body.lower(body, node)
    effect = isinstance(node, nodes.Increment) or (isinstance(node, nodes.Call) and node.name == "delete")
    # Everybody's programs delete keys without asking whether they were there; bpftrace warns, and so does its command.
    if isinstance(node, nodes.Call) and body.analysis.options.interactive:
        effect = False
    if not isinstance(value.type, NoneType | UnresolvedType) and not effect:
        body.warn(node.span, "Return value discarded.")
    if isinstance(value, ir.DeleteKey):
        return deleted(body, value)
    return unwrap(value)


def unwrap(value: ir.Expr) -> tuple[ir.Stmt, ...]:
    """The statements of an expression that has no value; one that has is evaluated."""
    match value:
        case ir.Sequence(statements=statements, value=None):
            return statements
        case ir.Sequence(statements=statements, value=ir.Local() | ir.Constant() | ir.StringConstant()):
            return statements
        case ir.Constant() | ir.StringConstant() | ir.Local():
            return ()
    return (ir.Evaluate(value.span, value),)


def _if(body: Body, node: nodes.If) -> tuple[ir.Stmt, ...]:
    condition = lower_condition(body, node.condition)
    known = constant_number(condition)
    if known is not None and check_condition(body, condition):
        if isinstance(node.condition, nodes.Comptime):
            # Only the branch that runs is looked at.
            if known:
                return lower_block(body, node.then)
            return lower_block(body, node.otherwise) if node.otherwise else ()
        first = lower_block(body, node.then) if known else _never(body, node.then)
        if node.otherwise is None:
            return first
        return (*first, *(_never(body, node.otherwise) if known else lower_block(body, node.otherwise)))
    if isinstance(node.condition, nodes.Comptime) and isinstance(condition.type, UnresolvedType):
        return ()
    then = lower_block(body, node.then)
    otherwise = lower_block(body, node.otherwise) if node.otherwise else ()
    if not check_condition(body, condition):
        return ()
    return (ir.If(node.span, truth(condition), then, otherwise),)


def _never(body: Body, block: nodes.Block) -> tuple[ir.Stmt, ...]:
    """A block that never runs: no code, and nothing to warn of; but it has to be right, and may give types."""
    told = body.analysis.diagnostics.items
    before = len(told)
    lower_block(body, block)
    told[before:] = [item for item in told[before:] if item.severity is Severity.ERROR]
    return ()


def _while(body: Body, node: nodes.While) -> tuple[ir.Stmt, ...]:
    body.warn(
        node.span,
        "While loops are deprecated and may be removed in the future.",
        "a range says how often: for ($i : 0..10) { ... }",
    )
    condition = lower_condition(body, node.condition)
    with body.loop():
        block = lower_block(body, node.body)
    if not check_condition(body, condition):
        return ()
    _warn_of_bound(body, node.span)
    return (ir.While(node.span, truth(condition), block),)


def _warn_of_bound(body: Body, span: Span) -> None:
    reason = lack(body.facts, "bpf_loop", what="more")
    if reason:
        most = INNER_PLAIN_TURNS if body.loop_depth else PLAIN_TURNS
        body.warn(span, f"This loop ends after {most} turns; {reason}.")


def _unroll(body: Body, node: nodes.Unroll) -> tuple[ir.Stmt, ...]:
    count = body.lower(body, node.count)
    number = constant_number(count)
    if isinstance(count.type, UnresolvedType):
        return ()
    if number is None or not is_integer(count.type):
        body.error(node.span, "invalid unroll value", "it has to be known before the program runs")
        return ()
    if number < 0:
        body.error(node.span, "invalid unroll value", "it can't be negative")
        return ()
    if number < 1:
        body.error(node.span, "unroll minimum value is 1")
        return ()
    if number > MAX_UNROLL:
        body.error(node.span, f"unroll maximum value is {MAX_UNROLL}")
        return ()
    return tuple(statement for _ in range(number) for statement in lower_block(body, node.body))


def _for_map(body: Body, node: nodes.ForMap) -> tuple[ir.Stmt, ...]:
    name = node.map.name
    body.analysis.map_reads.setdefault(name, node.map.span)
    symbol = body.analysis.map(name)
    if node.map.keys is not None:
        body.error(node.map.span, f"@{name} is iterated as a whole: leave the brackets out")
        return ()
    if symbol.keyed is False:
        body.error(node.map.span, f"@{name} has no explicit keys (scalar map), and cannot be used for iteration")
        return ()
    reason = lack(body.facts, "bpf_for_each_map_elem", what="A loop over a map")
    if reason:
        body.error(node.map.span, reason)
        return ()
    value = value_type(body, symbol, node.map.span) if symbol.keyed else symbol.value
    if value is None:
        body.error(node.map.span, f"Loop expression does not support type: {show(symbol.value)}")
        return ()
    if symbol.key is None or not is_known(symbol.key) or not is_known(value):
        _lower_untyped(body, node)
        return ()
    with body.scope(node):
        scope, variable = _loop_variable(body, node.variable)
        variable.type = TupleType((harden(symbol.key), harden(value)))
        variable.declared = True
        slot = scope.slots[variable.name]
        body.locals[slot] = ir.LocalVariable(variable.name, variable.type)
        with body.loop():
            block = lower_block(body, node.body)
    return (ir.ForMap(node.span, slot, name, block),)


def _lower_untyped(body: Body, node: nodes.ForMap) -> None:
    """The body of a loop over a map of unknown type: what it assigns may be what makes it known."""
    with body.scope(node):
        _loop_variable(body, node.variable)
        with body.loop():
            lower_block(body, node.body)


def _loop_variable(body: Body, node: nodes.Variable) -> tuple[Scope, VariableSymbol]:
    if body.find_variable(node.name) is not None:
        body.error(
            node.span,
            f"Loop declaration shadows existing variable: ${node.name}",
            "give the loop's variable a new name",
        )
    scope, symbol = body.declare_variable(node.name, node.span)
    symbol.assigned = symbol.explicit = True
    return scope, symbol


def _for_range(body: Body, node: nodes.ForRange) -> tuple[ir.Stmt, ...]:
    start = body.lower(body, node.start)
    end = body.lower(body, node.end)
    both = None
    for side, name in ((start, "start"), (end, "end")):
        if not is_integer(side.type) and not isinstance(side.type, UnresolvedType):
            body.error(side.span, f"Loop range requires an integer for the {name} value")
            return ()
    if is_integer(start.type) and is_integer(end.type):
        both = promote(start.type, end.type)
    with body.scope(node):
        scope, variable = _loop_variable(body, node.variable)
        body.analysis.grow_variable(variable, harden(both) if isinstance(both, IntType) else S64, node.span)
        type_ = harden(variable.type)
        slot = scope.slots[variable.name]
        body.locals[slot] = ir.LocalVariable(variable.name, type_)
        with body.loop():
            block = lower_block(body, node.body)
    first, last = constant_number(start), constant_number(end)
    if first is None or last is None or last - first > (PLAIN_TURNS if not body.loop_depth else INNER_PLAIN_TURNS):
        _warn_of_bound(body, node.span)
    return (ir.ForRange(node.span, slot, convert(start, type_), convert(end, type_), block),)


def _jump(body: Body, node: nodes.Jump) -> tuple[ir.Stmt, ...]:
    match node.kind:
        case nodes.JumpKind.BREAK | nodes.JumpKind.CONTINUE if not body.loop_depth:
            where = "a probe" if body.provider else "a function"
            body.error(
                node.span, f"'{node.kind.value}' statement is not allowed in {where}", "there is no loop around it"
            )
            return ()
        case nodes.JumpKind.BREAK:
            return (ir.Break(node.span),)
        case nodes.JumpKind.CONTINUE:
            return (ir.Continue(node.span),)
        case nodes.JumpKind.RETURN:
            return _return(body, node)


def _return(body: Body, node: nodes.Jump) -> tuple[ir.Stmt, ...]:
    value = body.lower(body, node.value) if node.value is not None else None
    if value is not None and isinstance(value.type, UnresolvedType):
        return ()
    if body.provider is not None:
        if value is not None and not is_integer(value.type):
            body.error(node.span, f"Probe return values can only be integers. Found {show(value.type)}")
            return ()
        return (ir.Return(node.span, convert(value, S64) if value is not None else None),)
    wanted = body.result
    assert wanted is not None
    if value is None:
        if not isinstance(wanted, NoneType):
            body.error(node.span, f"Function {body.key} is of type {show(wanted)}, cannot return nothing")
        return (ir.Return(node.span, None),)
    both = promote(wanted, value.type)
    if both is None or harden(both) != harden(wanted):
        body.error(node.span, f"Function {body.key} is of type {show(wanted)}, cannot return {show(value.type)}")
        return ()
    return (ir.Return(node.span, convert(value, wanted)),)
