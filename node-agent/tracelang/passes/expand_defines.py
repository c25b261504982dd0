"""Names that #define gives a value are replaced by it; well-known constants of system headers too.

before: `#define LIMIT (1 << 4)  kprobe:f / arg0 > LIMIT / { @[AF_INET] = count(); }`
after:  `kprobe:f / arg0 > (1 << 4) / { @[2] = count(); }`

A define's text is parsed as an expression of its own, so it can't reach over its ends: `#define A 1 + 2`, `A * 2` is 6.
That is safer than C and differs from it only where C surprises.
"""

from __future__ import annotations

from tracelang import nodes
from tracelang.diagnostics import Diagnostics
from tracelang.known_constants import known_constant
from tracelang.parser import parse_expression
from tracelang.parser.types import TypeParser
from tracelang.source import Span
from tracelang.structs import replace
from tracelang.visitor import rewrite, rewrite_children, walk

MAXIMUM_NODES = 100_000
"""Of all expansions together: defines may double with every level."""


class _Expander:
    def __init__(self, defines: dict[str, nodes.CDefine], diagnostics: Diagnostics, own: frozenset[str]) -> None:
        self.defines = defines
        self.diagnostics = diagnostics
        self.own = own
        self.parsed: dict[str, nodes.Expression | None] = {}
        self.active: list[str] = []
        self.room = MAXIMUM_NODES

    def visit(self, node: nodes.Node) -> nodes.Node:
        match node:
            case nodes.Macro(parameters=parameters):
                return self._macro(node, {item.name for item in parameters})
            case nodes.CDefine() | nodes.CInclude() | nodes.CStruct() | nodes.CEnum() | nodes.CTypedef():
                return node
            case nodes.TypeName(name=name) if name in self.defines:
                return self._type(node)
            case nodes.Identifier(name=name) if name in self.defines and name not in self.active:
                define = self.defines[name]
                return node if define.parameters is not None or not define.text else self._expand(node, define, ())
            case nodes.Call(name=name, arguments=arguments) if name in self.defines and name not in self.active:
                define = self.defines[name]
                if define.parameters is not None:
                    given = tuple(self._visited(argument) for argument in arguments)
                    return self._call(node, define, given)
            case nodes.Identifier(name=name) if name not in self.own:
                known = known_constant(name)
                if known is not None:
                    return _number(known, node.span)
        return rewrite_children(node, self.visit)

    def _visited(self, node: nodes.Expression) -> nodes.Expression:
        result = self.visit(node)
        assert isinstance(result, nodes.Expression)
        return result

    def _macro(self, macro: nodes.Macro, shadowed: set[str]) -> nodes.Node:
        """A macro's parameters hide defines of the same name."""
        hidden = {name: self.defines.pop(name) for name in shadowed & self.defines.keys()}
        own, self.own = self.own, self.own | shadowed
        result = rewrite_children(macro, self.visit)
        self.own = own
        self.defines.update(hidden)
        return result

    def _type(self, node: nodes.TypeName) -> nodes.Node:
        """`#define T uint64`, `(T)x`."""
        parser = TypeParser(self.defines[node.name].text)
        end = parser.scan_type(parser.token)
        if end is None or end.text:
            return rewrite_children(node, self.visit)
        type_ = parser.parse_type()
        return replace(
            node,
            name=type_.name,
            pointers=type_.pointers + node.pointers,
            dimensions=node.dimensions + type_.dimensions,
            parameter=type_.parameter if node.parameter is None else node.parameter,
        )

    def _call(
        self, node: nodes.Call, define: nodes.CDefine, arguments: tuple[nodes.Expression, ...]
    ) -> nodes.Expression:
        expected = len(define.parameters or ())
        if len(arguments) != expected:
            self.diagnostics.error(node.span, f"{define.name} takes {expected} arguments, {len(arguments)} given")
            return node
        return self._expand(node, define, arguments)

    def _expand(
        self, node: nodes.Expression, define: nodes.CDefine, arguments: tuple[nodes.Expression, ...]
    ) -> nodes.Expression:
        if define.name not in self.parsed:
            self.parsed[define.name] = parse_expression(define.text, values=frozenset(define.parameters or ()))
        expression = self.parsed[define.name]
        if expression is None:
            shown = define.text if len(define.text) <= 40 else define.text[:37] + "..."
            self.diagnostics.error(node.span, f"{define.name} is defined as '{shown}', which is not an expression")
            return node
        if arguments:
            expression = _substituted(expression, dict(zip(define.parameters or (), arguments, strict=True)))
        self.room -= sum(1 for _ in walk(expression))
        if self.room < 0:
            if self.room > -MAXIMUM_NODES:
                self.diagnostics.error(node.span, "the #defines of this program expand to too much")
                self.room = -MAXIMUM_NODES
            return node
        self.active.append(define.name)
        result = self._visited(_placed(expression, node.span))
        self.active.pop()
        return result


def _number(value: int, span: Span) -> nodes.Expression:
    literal = nodes.Integer(span, abs(value), str(abs(value)))
    return literal if value >= 0 else nodes.Unary(span, "-", literal)


def _placed(expression: nodes.Expression, span: Span) -> nodes.Expression:
    """As if written where the name stands, so that messages point there."""
    return rewrite(expression, lambda item: replace(item, span=span))


def _substituted(expression: nodes.Expression, values: dict[str, nodes.Expression]) -> nodes.Expression:
    def change(item: nodes.Node) -> nodes.Node:
        return values.get(item.name, item) if isinstance(item, nodes.Identifier) else item

    return rewrite(expression, change)


def expand_defines(program: nodes.Program, diagnostics: Diagnostics) -> nodes.Program:
    """The program without names that #define gave a value. C definitions stay."""
    defines = {item.name: item for item in program.c_definitions if isinstance(item, nodes.CDefine)}
    own = {name for item in walk(program) if isinstance(item, nodes.CEnum) for name, _ in item.variants}
    own |= {macro.name for macro in program.macros}
    result = _Expander(defines, diagnostics, frozenset(own)).visit(program)
    assert isinstance(result, nodes.Program)
    return result
