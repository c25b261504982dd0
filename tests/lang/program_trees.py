"""Random trees of the language, for laws that must hold for every program."""

from __future__ import annotations

from hypothesis import strategies as st

from tracelang import nodes
from tracelang.parser.expressions import PRECEDENCE
from tracelang.source import NOWHERE
from tracelang.structs import replace
from tracelang.words import BUILTIN_VALUES, CAST_TYPE_WORDS, KEYWORDS, PROVIDERS

_RESERVED = KEYWORDS | CAST_TYPE_WORDS | PROVIDERS | BUILTIN_VALUES | {"true", "false", "_", "typedef"}

names = st.from_regex(r"[a-z_][a-z0-9_]{0,5}", fullmatch=True).filter(lambda name: name not in _RESERVED)
texts = st.text(st.characters(codec="utf-8"), max_size=8) | st.binary(max_size=4).map(
    lambda data: data.decode("utf-8", "surrogateescape")
)

integers = st.integers(0, (1 << 64) - 1).map(lambda value: nodes.Integer(NOWHERE, value, str(value)))
variables = st.builds(nodes.Variable, st.just(NOWHERE), names)
leaves = st.one_of(
    integers,
    st.builds(nodes.String, st.just(NOWHERE), texts),
    st.builds(nodes.Boolean, st.just(NOWHERE), st.booleans()),
    st.builds(nodes.Identifier, st.just(NOWHERE), names | st.sampled_from(sorted(BUILTIN_VALUES))),
    st.builds(nodes.PositionalParameter, st.just(NOWHERE), st.integers(1, 99)),
    st.just(nodes.PositionalCount(NOWHERE)),
    variables,
    st.builds(nodes.Map, st.just(NOWHERE), st.just("") | names, st.none()),
)


def types(expressions: st.SearchStrategy[nodes.Expression]) -> st.SearchStrategy[nodes.TypeName]:
    """Types as a cast or a `let` writes them."""
    plain = st.sampled_from(["uint64", "int8", "bool", "string", "buffer", "unsigned long", "void", "count_t"])
    tagged = st.builds(lambda tag, name: f"{tag} {name}", st.sampled_from(["struct", "union", "enum"]), names)
    named = st.builds(
        nodes.TypeName,
        st.just(NOWHERE),
        name=plain | tagged,
        pointers=st.integers(0, 2),
        dimensions=st.lists(st.none() | st.integers(1, 9), max_size=2).map(tuple),
    )
    sized = st.builds(lambda size: nodes.TypeName(NOWHERE, name="string", parameter=size), st.integers(1, 64))
    measured = st.builds(lambda of: nodes.TypeName(NOWHERE, name="typeof", of=of), expressions)
    # `string[]` reads as a string of unknown size: the brackets of a sized type are its size.
    return (named | sized | measured).filter(
        lambda type_: type_.name not in ("string", "buffer") or bool(type_.pointers) or not type_.dimensions
    )


def _extend(inner: st.SearchStrategy[nodes.Expression]) -> st.SearchStrategy[nodes.Expression]:
    operators = st.sampled_from(sorted(PRECEDENCE))
    several = st.lists(inner, max_size=3).map(tuple)
    fields = st.lists(st.tuples(names, inner), min_size=1, max_size=3, unique_by=lambda item: item[0]).map(tuple)
    places = variables | st.builds(nodes.Map, st.just(NOWHERE), names, st.none())
    return st.one_of(
        st.builds(nodes.Binary, st.just(NOWHERE), operators, inner, inner),
        st.builds(nodes.Unary, st.just(NOWHERE), st.sampled_from("-!~*"), inner),
        st.builds(nodes.Unary, st.just(NOWHERE), st.just("&"), places),
        st.builds(nodes.Increment, st.just(NOWHERE), places, st.sampled_from([1, -1]), st.booleans()),
        st.builds(nodes.Ternary, st.just(NOWHERE), inner, st.none() | inner, inner),
        st.builds(nodes.Cast, st.just(NOWHERE), types(inner), inner),
        st.builds(nodes.Call, st.just(NOWHERE), names, several),
        st.builds(nodes.Tuple, st.just(NOWHERE), several),
        st.builds(nodes.Record, st.just(NOWHERE), fields),
        st.builds(nodes.FieldAccess, st.just(NOWHERE), inner, names, st.booleans()),
        st.builds(nodes.TupleAccess, st.just(NOWHERE), inner, st.integers(0, 9)),
        st.builds(nodes.Index, st.just(NOWHERE), inner, inner),
        st.builds(nodes.Map, st.just(NOWHERE), names, st.lists(inner, min_size=1, max_size=3).map(tuple)),
        st.builds(nodes.Sizeof, st.just(NOWHERE), inner | types(inner)),
        st.builds(nodes.Comptime, st.just(NOWHERE), inner),
        _statements(inner).map(block_expression),
    )


def block_expression(body: tuple[nodes.Statement, ...]) -> nodes.BlockExpression:
    """A block whose last statement, when it is an expression, is its value."""
    if body and isinstance(body[-1], nodes.ExpressionStatement):
        return nodes.BlockExpression(NOWHERE, body[:-1], body[-1].expression)
    return nodes.BlockExpression(NOWHERE, body, None)


def _statements(inner: st.SearchStrategy[nodes.Expression]) -> st.SearchStrategy[tuple[nodes.Statement, ...]]:
    places = variables | st.builds(nodes.Map, st.just(NOWHERE), names, st.none())
    compound = st.sampled_from(["", "+", "-", "*", "/", "%", "&", "|", "^", "<<", ">>"])
    simple: st.SearchStrategy[nodes.Statement] = st.one_of(
        st.builds(nodes.ExpressionStatement, st.just(NOWHERE), inner),
        st.builds(nodes.Assign, st.just(NOWHERE), places, compound, inner),
        st.builds(nodes.Discard, st.just(NOWHERE), inner),
        st.builds(nodes.Declare, st.just(NOWHERE), variables, st.none() | types(inner), st.none() | inner),
        st.builds(nodes.Jump, st.just(NOWHERE), st.sampled_from(nodes.JumpKind)),
        st.builds(lambda value: nodes.Jump(NOWHERE, nodes.JumpKind.RETURN, value), inner),
    )
    block = st.lists(simple, max_size=2).map(lambda items: nodes.Block(NOWHERE, tuple(items)))
    maps = st.builds(nodes.Map, st.just(NOWHERE), names, st.none())
    nested: st.SearchStrategy[nodes.Statement] = st.one_of(
        block,
        st.builds(nodes.If, st.just(NOWHERE), inner, block, st.none() | block),
        st.builds(nodes.While, st.just(NOWHERE), inner, block),
        st.builds(nodes.Unroll, st.just(NOWHERE), inner, block),
        st.builds(nodes.ForMap, st.just(NOWHERE), variables, maps, block),
        st.builds(nodes.ForRange, st.just(NOWHERE), variables, inner, inner, block),
    )
    return st.lists(simple | nested, max_size=3).map(tuple)


expressions = st.recursive(leaves, _extend, max_leaves=8)
statements = _statements(expressions)
blocks = statements.map(lambda body: nodes.Block(NOWHERE, body))


def attach_point(parts: tuple[str, ...]) -> nodes.AttachPoint:
    return nodes.AttachPoint(NOWHERE, parts[0], parts, ":".join(parts))


_parts = st.lists(names | texts | st.sampled_from(["*", "/bin/sh", "sys_enter_*", "1s", ""]), max_size=3)
attach_points = st.builds(
    lambda provider, parts: attach_point((provider, *parts)), st.sampled_from(sorted(PROVIDERS)), _parts
)
probes = st.builds(
    nodes.Probe,
    st.just(NOWHERE),
    st.lists(attach_points, min_size=1, max_size=3).map(tuple),
    st.none() | expressions,
    blocks,
)

_kinds = st.sampled_from(nodes.MacroParameterKind)
_parameters = st.lists(
    st.builds(nodes.MacroParameter, st.just(NOWHERE), _kinds, names), max_size=3, unique_by=lambda item: item.name
).map(tuple)
macros = st.builds(nodes.Macro, st.just(NOWHERE), names, _parameters, statements.map(block_expression))
config_values = st.integers(0, 1 << 40) | texts.filter(str.isprintable) | st.booleans()
_field_types = types(expressions).filter(
    lambda type_: type_.of is None and type_.parameter is None and type_.name not in ("string", "buffer")
)
fields = st.builds(nodes.CField, st.just(NOWHERE), names, _field_types, st.none() | st.integers(1, 31))
structs = st.builds(
    nodes.CStruct,
    st.just(NOWHERE),
    st.sampled_from(["struct", "union"]),
    names,
    st.lists(fields, max_size=3).map(tuple),
    st.booleans(),
)
enums = st.builds(
    nodes.CEnum,
    st.just(NOWHERE),
    names,
    st.lists(st.tuples(names, st.integers(-99, 99)), min_size=1, max_size=3).map(tuple),
)
typedefs = st.builds(lambda name, type_: nodes.CTypedef(NOWHERE, name, type_), names, _field_types)

programs = st.builds(
    nodes.Program,
    st.just(NOWHERE),
    st.lists(structs | enums | typedefs, max_size=2).map(tuple),
    st.lists(st.builds(nodes.ConfigEntry, st.just(NOWHERE), names, config_values), max_size=2).map(tuple),
    st.lists(st.builds(nodes.Import, st.just(NOWHERE), texts), max_size=1).map(tuple),
    st.lists(st.builds(nodes.MapDeclaration, st.just(NOWHERE), names, names, st.integers(1, 1 << 20)), max_size=1).map(
        tuple
    ),
    st.lists(macros, max_size=1).map(tuple),
    st.builds(
        lambda name, result, body: (nodes.Subprogram(NOWHERE, name, (), result, body),),
        names,
        types(expressions),
        blocks,
    )
    | st.just(()),
    st.lists(probes, max_size=2).map(tuple),
)


def single_probe(expression: nodes.Expression) -> nodes.Program:
    """A program whose only statement assigns the expression."""
    statement = nodes.Discard(NOWHERE, expression)
    probe = nodes.Probe(NOWHERE, (attach_point(("begin",)),), None, nodes.Block(NOWHERE, (statement,)))
    return replace(nodes.Program(NOWHERE, (), (), (), (), (), (), ()), probes=(probe,))
