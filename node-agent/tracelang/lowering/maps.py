"""Maps in expressions: with keys or without, keys of one type, reads of aggregations as integers."""

from __future__ import annotations

from tracelang import ir, nodes
from tracelang.diagnostics import Note
from tracelang.lowering.body import Body, missing
from tracelang.lowering.convert import convert
from tracelang.lowering.warnings import looked_up
from tracelang.source import Span
from tracelang.symbols import MapSymbol
from tracelang.type_rules import UnresolvedType, aggregate_name, harden, is_known, show, stats_record, yielded_type
from tracelang.types import AggregateType, Aggregation, NoneType, TupleType, Type, VoidType


def use_map(body: Body, node: nodes.Map, *, writes: bool) -> MapSymbol | None:
    """The map's symbol when it is used as before: always with keys, or never; else told, and None."""
    symbol = body.analysis.map(node.name)
    keyed = node.keys is not None
    if writes:
        symbol.written = True
    if symbol.keyed is None:
        symbol.keyed = keyed
        symbol.keyed_span = node.span
        if not keyed:
            symbol.key = None
        body.analysis.changed = True
    if symbol.keyed == keyed:
        return symbol
    notes = (Note(symbol.keyed_span, "the first use is here"),)
    name = f"@{node.name}"
    if keyed:
        message = (
            f"{name} used as a map with an explicit key (non-scalar map), "
            "previously used without an explicit key (scalar map)"
        )
    else:
        message = (
            f"{name} used as a map without an explicit key (scalar map), "
            "previously used with an explicit key (non-scalar map)"
        )
    body.error(node.span, message, notes=notes)
    return None


def map_key(body: Body, node: nodes.Map, symbol: MapSymbol) -> ir.Expr | None:
    """The key as the map's key type; None for a map without keys."""
    if node.keys is None:
        return None
    return lower_key(body, node.keys, symbol, node.span)


def lower_key(body: Body, keys: tuple[nodes.Expression, ...], symbol: MapSymbol, span: Span) -> ir.Expr:
    """`[a, b]` and `[(a, b)]` are one tuple; the map's key type grows to hold it."""
    parts = tuple(body.lower(body, key) for key in keys)
    for part in parts:
        if isinstance(part.type, NoneType | VoidType | AggregateType):
            return body.error(part.span, f"Invalid map key type: {show(part.type)}")
    key = parts[0] if len(parts) == 1 else ir.MakeTuple(span, TupleType(tuple(part.type for part in parts)), parts)
    if not is_known(key.type) or symbol.key is None:
        return missing(span)
    if not body.analysis.grow_key(symbol, key.type, span):
        return missing(span)
    return convert(key, symbol.key)


def read_map(body: Body, node: nodes.Map) -> ir.Expr:
    """`@m` or `@m[k]` as a value; of a stats() map a record of its numbers."""
    body.analysis.map_reads.setdefault(node.name, node.span)
    symbol = use_map(body, node, writes=False)
    if symbol is None:
        return missing(node.span)
    key = map_key(body, node, symbol)
    aggregate = symbol.aggregate
    if aggregate is not None and aggregate.kind is Aggregation.STATS:
        symbol.merged = True
        type_: Type | None = stats_record(aggregate)
    else:
        type_ = value_type(body, symbol, node.span)
    if type_ is None or isinstance(type_, UnresolvedType) or (key is not None and not is_known(key.type)):
        return missing(node.span)
    value = ir.MapValue(node.span, harden(type_), symbol.name, key)
    return value if aggregate is not None else looked_up(body, value)


def value_type(body: Body, symbol: MapSymbol, span: Span) -> Type | None:
    """What a read of the map gives; None and told when it can't be read."""
    if not isinstance(symbol.value, AggregateType):
        return symbol.value
    symbol.merged = True
    yielded = yielded_type(symbol.value)
    if yielded is None:
        body.error(
            span,
            f"Map type {show(symbol.value)} cannot print the value of individual keys. You must print the whole map.",
            f"what {aggregate_name(symbol.value)} collects isn't one number",
        )
    return yielded
