"""Maps as text, as bpftrace 0.27 prints them: `@a[k]: v`, histograms, statistics.

Comes in: `MapSnapshot`s (one agent's, or merged). Goes out: text with its line ends. What a traced program wrote (keys,
strings) goes through `quote`, so that a terminal can be kept safe; the default leaves it as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from tracejob_api.histogram import hist_rows, lhist_rows
from tracejob_api.maps import MapEntry, MapKind, MapSnapshot

Quote = Callable[[str], str]


def as_it_is(text: str) -> str:
    return text


def render_maps(maps: Iterable[MapSnapshot], *, quote: Quote = as_it_is) -> str:
    """All maps in the order of their names, as at the end of a program."""
    return "".join(render_map(item, quote=quote) for item in sorted(maps, key=lambda item: item.name))


def render_map(snapshot: MapSnapshot, *, top: int = 0, divisor: int = 1, quote: Quote = as_it_is) -> str:
    """One map. `top`: only that many of the largest; `divisor`: numbers are divided by it."""
    entries = sorted(snapshot.entries, key=lambda entry: _order(snapshot.kind, entry))
    if top:
        entries = entries[-top:]
    rendered = "".join(_render_entry(snapshot, entry, divisor=divisor, quote=quote) for entry in entries)
    if not rendered:
        return ""
    if snapshot.omitted:
        rendered += f"(and {snapshot.omitted} more keys)\n"
    return rendered


def _render_entry(snapshot: MapSnapshot, entry: MapEntry, *, divisor: int, quote: Quote) -> str:
    key = ", ".join(_item(item, _at(snapshot.key_types, at), quote) for at, item in enumerate(entry.key))
    head = f"{snapshot.name}[{key}]:" if entry.key else f"{snapshot.name}:"
    match snapshot.kind:
        case MapKind.HIST:
            rows = hist_rows(entry.buckets, bits=snapshot.parameters[0] if snapshot.parameters else 0, divisor=divisor)
            return _table(head, rows)
        case MapKind.LHIST:
            return _table(head, lhist_rows(entry.buckets, parameters=snapshot.parameters, divisor=divisor))
        case MapKind.TSERIES:
            return _table(head, [f"{number:>{16}} {value // divisor}" for number, value, _ in entry.points])
        case MapKind.AVG:
            return f"{head} {_quotient(entry.sum, entry.count * divisor)}\n"
        case MapKind.STATS:
            average = _quotient(entry.sum, entry.count * divisor)
            total = _quotient(entry.sum, divisor)
            return f"{head} {{ .count = {entry.count}, .average = {average}, .total = {total} }}\n"
        case MapKind.COUNT | MapKind.SUM | MapKind.MIN | MapKind.MAX | MapKind.SCALAR:
            value = entry.value
            if divisor != 1 and isinstance(value, int) and not isinstance(value, bool):
                value = _quotient(value, divisor)
            return f"{head} {_item(value, snapshot.value_type, quote)}\n"


def _table(head: str, rows: list[str]) -> str:
    return "\n".join([head, *rows, "", ""]) if rows else ""


def _order(kind: MapKind, entry: MapEntry) -> tuple[tuple[int, int, str], ...]:
    """Smallest first: by value, or by how much a histogram holds; what is equal goes by key."""
    keys = tuple(_rank(item) for item in entry.key)
    match kind:
        case MapKind.HIST | MapKind.LHIST:
            return ((0, sum(count for _, count in entry.buckets), ""), *keys)
        case MapKind.AVG | MapKind.STATS:
            return ((0, _quotient(entry.sum, entry.count), ""), *keys)
        case MapKind.TSERIES:
            return keys
        case MapKind.COUNT | MapKind.SUM | MapKind.MIN | MapKind.MAX | MapKind.SCALAR:
            return (_rank(entry.value), *keys)


def _rank(value: object) -> tuple[int, int, str]:
    return (0, value, "") if isinstance(value, int) else (1, 0, str(value))


def _quotient(number: int, by: int) -> int:
    """C's integer division, towards zero."""
    if not by:
        return 0
    return number // by if number >= 0 else -(-number // by)


def _at(types: tuple[str, ...], index: int) -> str:
    return types[index] if index < len(types) else ""


def _item(value: object, type_name: str, quote: Quote) -> str:
    """One key or value, spelled by its type."""
    match value:
        case bool():
            return "true" if value else "false"
        case list() | tuple() if type_name.endswith("]"):
            return "[" + ",".join(_item(item, "", quote) for item in value) + "]"
        case list() | tuple():
            return "(" + ", ".join(_item(item, "", quote) for item in value) + ")"
        case dict() if type_name.startswith("("):
            return "(" + ", ".join(f"{name}={_item(item, '', quote)}" for name, item in value.items()) + ")"
        case dict():
            return "{ " + ", ".join(f".{name} = {_item(item, '', quote)}" for name, item in value.items()) + " }"
        case str() if "\n" in value and type_name.endswith("stack"):
            return "\n".join(quote(line) for line in value.split("\n"))
        case str():
            return quote(value)
        case _:
            return str(value)
