"""Calls of macros become block expressions; hygienic: a macro sees only what is passed to it.

before: `macro add($v, @m, x) { let $sum = x + 1; $v += $sum; @m = $v; }   begin { add($a, @b, pid); }`
after:  `begin { { let $__add_0_sum = pid + 1; $a += $__add_0_sum; @b = $a; } }`

A parameter written $name takes a variable, @name a map, a bare name any expression (put in wherever the name stands).
The macro's own variables get names that no program has. Macros of one name may differ in their parameters. A bare name
calls a macro without parameters.
"""

from __future__ import annotations

from collections.abc import Iterable, Set

from tracelang import nodes
from tracelang.diagnostics import Diagnostics, Note
from tracelang.source import Span
from tracelang.structs import replace
from tracelang.suggest import did_you_mean
from tracelang.visitor import rewrite, rewrite_children, walk
from tracelang.words import is_builtin_value

MAXIMUM_NODES = 200_000
"""Of all expansions together: macros may double with every level."""

Kind = nodes.MacroParameterKind


class _Expander:
    def __init__(self, program: nodes.Program, diagnostics: Diagnostics) -> None:
        self.diagnostics = diagnostics
        self.macros: dict[str, list[nodes.Macro]] = {}
        for macro in program.macros:
            self._define(macro)
        self.variables = {item.name for item in walk(program) if isinstance(item, nodes.Variable)}
        self.chain: list[nodes.Macro] = []
        self.count = 0
        self.room = MAXIMUM_NODES

    def _define(self, macro: nodes.Macro) -> None:
        same_name = self.macros.setdefault(macro.name, [])
        for other in same_name:
            if _kinds(other) == _kinds(macro):
                self.diagnostics.error(
                    _head(macro),
                    f"the macro {macro.name}() is defined twice",
                    notes=(Note(_head(other), "it was defined here first"),),
                )
                return
        same_name.append(macro)
        self._check_body(macro)

    def _check_body(self, macro: nodes.Macro) -> None:
        """A macro may use only the maps that it is given, and can't end its caller."""
        maps = {item.name for item in macro.parameters if item.kind is Kind.MAP}
        for item in walk(macro.body):
            match item:
                case nodes.Map(name=name) if name not in maps:
                    self.diagnostics.error(
                        item.span,
                        f"the macro {macro.name}() can't use the map @{name}, which isn't passed to it",
                        hint=f"give it a parameter @{name}",
                    )
                    return
                case nodes.Jump(kind=nodes.JumpKind.RETURN):
                    self.diagnostics.error(item.span, "'return' can't stand in a macro")
                    return

    # --- over the tree

    def visit(self, node: nodes.Node) -> nodes.Node:
        match node:
            case nodes.ExpressionStatement():
                return self._statement(node)
            case nodes.Identifier(name=name) if name in self.macros and not is_builtin_value(name):
                if any(not macro.parameters for macro in self.macros[name]):
                    return self._call(nodes.Call(node.span, name, ()))
            case nodes.Call(name=name) if name in self.macros and not self._is_own_call(node):
                return self._call(rewrite_children(node, self.visit))
        return rewrite_children(node, self.visit)

    def _is_own_call(self, call: nodes.Call) -> bool:
        """A macro that wraps the function of its own name calls that function, unless it would fit the call."""
        return any(macro.name == call.name and len(macro.parameters) != len(call.arguments) for macro in self.chain)

    def _statement(self, node: nodes.ExpressionStatement) -> nodes.Statement:
        """A call that stands alone needs no value."""
        expression = self.visit(node.expression)
        assert isinstance(expression, nodes.Expression)
        if expression is not node.expression and isinstance(expression, nodes.BlockExpression):
            return _as_block(node.span, expression)
        return replace(node, expression=expression)

    def _call(self, call: nodes.Call) -> nodes.Expression:
        macro = self._chosen(call)
        if macro is None:
            return call
        if macro in self.chain:
            names = " > ".join(item.name for item in (*self.chain, macro))
            self.diagnostics.error(call.span, f"the macro {macro.name}() calls itself: {names}")
            return call
        self.room -= sum(1 for _ in walk(macro.body))
        if self.room < 0:
            if self.room > -MAXIMUM_NODES:
                self.diagnostics.error(call.span, "the macros of this program expand to too much")
                self.room = -MAXIMUM_NODES
            return call
        body = self._instance(macro, call.arguments)
        self.chain.append(macro)
        result = rewrite_children(body, self.visit)
        self.chain.pop()
        return nodes.Expansion(result.span, result.statements, result.value, call.span)

    # --- which macro

    def _chosen(self, call: nodes.Call) -> nodes.Macro | None:
        """The macro whose parameters fit, the most particular first; else a diagnostic."""
        candidates = self.macros[call.name]
        fitting = [macro for macro in candidates if not _misfits(macro, call.arguments)]
        if fitting and len(fitting[0].parameters) == len(call.arguments):
            return max(fitting, key=lambda macro: sum(kind is not Kind.EXPRESSION for kind in _kinds(macro)))
        loosely = [macro for macro in candidates if _fits_loosely(macro, call.arguments)]
        if loosely:
            return loosely[0]
        closest = min(candidates, key=lambda macro: abs(len(macro.parameters) - len(call.arguments)))
        self._report_misfit(call, closest)
        return None

    def _report_misfit(self, call: nodes.Call, macro: nodes.Macro) -> None:
        defined = (Note(_head(macro), f"{macro.name}() is defined here"),)
        expected, given = len(macro.parameters), len(call.arguments)
        if expected != given:
            plural = "" if expected == 1 else "s"
            self.diagnostics.error(
                call.span, f"{macro.name}() takes {expected} argument{plural}, {given} given", notes=defined
            )
            return
        for parameter, argument in zip(macro.parameters, call.arguments, strict=True):
            if not _fits(parameter, argument):
                what, mark = ("variable", "$") if parameter.kind is Kind.VARIABLE else ("map", "@")
                message = (
                    f"Mismatched arg. {macro.name}() expects a {what} for arg {mark}{parameter.name} "
                    "but got an expression."
                )
                hint = f"declare the parameter as '{parameter.name}' to take any expression"
                self.diagnostics.error(argument.span, message, notes=defined, hint=hint)
                return

    # --- the body with arguments in it

    def _instance(self, macro: nodes.Macro, arguments: tuple[nodes.Expression, ...]) -> nodes.BlockExpression:
        values: dict[str, nodes.Expression] = {}
        variables: dict[str, str] = {}
        maps: dict[str, str] = {}
        read_only: dict[str, nodes.Expression] = {}
        for parameter, argument in zip(macro.parameters, arguments, strict=True):
            match parameter.kind, argument:
                case Kind.VARIABLE, nodes.Variable(name=name):
                    variables[parameter.name] = name
                case Kind.MAP, nodes.Map(name=name):
                    maps[parameter.name] = name
                case Kind.VARIABLE, _:
                    read_only[parameter.name] = argument
                case _:
                    values[parameter.name] = _as_value(argument)
        self._name_own_variables(macro, variables, given=variables.keys() | read_only.keys())

        def change(item: nodes.Node) -> nodes.Node:
            match item:
                case nodes.Variable(name=name):
                    return read_only[name] if name in read_only else replace(item, name=variables[name])
                case nodes.Map(name=name):
                    return replace(item, name=maps.get(name, name))
                case nodes.Identifier(name=name):
                    return values.get(name, item)
                case _:
                    return item

        # Bottom-up, so that what is put in for a name isn't changed again.
        return rewrite(macro.body, change)

    def _name_own_variables(self, macro: nodes.Macro, variables: dict[str, str], given: Set[str]) -> None:
        own = sorted({item.name for item in walk(macro.body) if isinstance(item, nodes.Variable)} - given)
        if not own:
            return
        while True:
            names = {name: f"__{macro.name}_{self.count}_{name}" for name in own}
            self.count += 1
            if self.variables.isdisjoint(names.values()):
                break
        variables.update(names)


def _as_block(span: Span, expression: nodes.BlockExpression) -> nodes.Block:
    if expression.value is None:
        statements = expression.statements
    else:
        statements = (*expression.statements, nodes.ExpressionStatement(expression.value.span, expression.value))
    if isinstance(expression, nodes.Expansion):
        return nodes.ExpandedBlock(span, statements, expression.call)
    return nodes.Block(span, statements)


def _head(macro: nodes.Macro) -> Span:
    """`macro name(...)` without its body: for notes."""
    return Span(macro.span.start, max(macro.body.span.start - 1, macro.span.start + 1), macro.span.source)


def _kinds(macro: nodes.Macro) -> tuple[nodes.MacroParameterKind, ...]:
    return tuple(parameter.kind for parameter in macro.parameters)


def _fits(parameter: nodes.MacroParameter, argument: nodes.Expression) -> bool:
    match parameter.kind:
        case Kind.VARIABLE:
            return isinstance(argument, nodes.Variable)
        case Kind.MAP:
            return isinstance(argument, nodes.Map) and argument.keys is None
        case Kind.EXPRESSION:
            return True


def _misfits(macro: nodes.Macro, arguments: tuple[nodes.Expression, ...]) -> bool:
    if len(macro.parameters) != len(arguments):
        return True
    return not all(_fits(parameter, argument) for parameter, argument in zip(macro.parameters, arguments, strict=True))


def _fits_loosely(macro: nodes.Macro, arguments: tuple[nodes.Expression, ...]) -> bool:
    """Older programs pass any expression for a $parameter that the macro only reads."""
    if len(macro.parameters) != len(arguments):
        return False
    changed = _changed_variables(macro.body)
    return all(
        _fits(parameter, argument) or (parameter.kind is Kind.VARIABLE and parameter.name not in changed)
        for parameter, argument in zip(macro.parameters, arguments, strict=True)
    )


def _changed_variables(body: nodes.BlockExpression) -> set[str]:
    """Variables that can't be values: assigned, declared, stepped, looped with, or with their address taken."""
    changed: set[str] = set()
    for item in walk(body):
        match item:
            case (
                nodes.Assign(target=nodes.Variable(name=name))
                | nodes.Increment(target=nodes.Variable(name=name))
                | nodes.Declare(variable=nodes.Variable(name=name))
                | nodes.ForMap(variable=nodes.Variable(name=name))
                | nodes.ForRange(variable=nodes.Variable(name=name))
                | nodes.Unary(operator="&", operand=nodes.Variable(name=name))
            ):
                changed.add(name)
    return changed


def _as_value(argument: nodes.Expression) -> nodes.Expression:
    """A map given for an expression counts by its value, as `{ @m }` does."""
    if isinstance(argument, nodes.Map) and argument.keys is None:
        return nodes.BlockExpression(argument.span, (), argument)
    return argument


def unknown_macro_hint(name: str, macros: Iterable[nodes.Macro]) -> str:
    """For a call that nothing answers: a macro that it may have meant."""
    return did_you_mean(name, (macro.name for macro in macros))


def expand_macros(program: nodes.Program, diagnostics: Diagnostics) -> nodes.Program:
    """The program without macros and without calls of them."""
    if not program.macros:
        return program
    expander = _Expander(program, diagnostics)
    return replace(
        program,
        macros=(),
        subprograms=tuple(rewrite_children(item, expander.visit) for item in program.subprograms),
        probes=tuple(rewrite_children(item, expander.visit) for item in program.probes),
    )
