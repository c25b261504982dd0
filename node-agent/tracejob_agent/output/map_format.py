"""Maps in bpftrace's exact text and JSON lines: entries in printing order in, text out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tracejob_agent.output.histogram import histogram_json, histogram_rows, histogram_text
from tracejob_agent.output.map_content import Entry, MapReader, RawEntries
from tracejob_agent.output.merge import Average
from tracejob_agent.output.names import Names
from tracejob_agent.output.show import json_integer, json_text, json_writer, text_writer
from tracejob_agent.output.tseries_format import time_series_json, time_series_text
from tracelang.plan import UserMap
from tracelang.types import AggregateType, Aggregation, IntType, TupleType, Type

_PICTURES = (Aggregation.HIST, Aggregation.LHIST, Aggregation.TSERIES)
_NUMBERS = (Aggregation.COUNT, Aggregation.SUM, Aggregation.MIN, Aggregation.MAX)
_JSON_KINDS = {
    Aggregation.HIST: "hist",
    Aggregation.LHIST: "hist",
    Aggregation.AVG: "stats",
    Aggregation.STATS: "stats",
    Aggregation.TSERIES: "tseries",
}


class MapFormat:
    """One map of the program; made once, used for each print of it.

    unset: what to do with a map without a key that was never set, or cleared: print() shows zero, the end nothing.
    """

    def __init__(self, user: UserMap, names: Names) -> None:
        self._user = user
        self._names = names
        self._reader = MapReader(user, names)
        self._aggregate = user.value if isinstance(user.value, AggregateType) else None
        self._label = f"@{user.name}"

    def text(self, raw: RawEntries, *, top: int = 0, divisor: int = 1, unset: bool = False) -> str:
        """All entries, or the `top` greatest; "" when there is nothing."""
        divisor = self._divisor(divisor)
        write_key = key_writer(self._user.key, self._names)
        is_picture = self._aggregate is not None and self._aggregate.kind in _PICTURES
        lines = []
        write_value = self._value_text
        if self._aggregate is not None and self._aggregate.kind in _NUMBERS and divisor == 1:
            write_value = _plain_number
        for entry in self._chosen(raw, top, unset=unset):
            label = f"{self._label}[{write_key(entry.key)}]" if self._user.key is not None else self._label
            value = write_value(entry.value, divisor)
            lines.append(f"{label}:\n{value}\n" if is_picture else f"{label}: {value}\n")
        return "".join(lines)

    def json(self, raw: RawEntries, *, top: int = 0, divisor: int = 1, unset: bool = False) -> str:
        """One line, without its end; "" when there is nothing, but of averages and stats an object without members."""
        divisor = self._divisor(divisor)
        entries = self._chosen(raw, top, unset=unset)
        kind = _JSON_KINDS.get(self._aggregate.kind, "map") if self._aggregate else "map"
        if not entries:
            return self._json_line(kind, "{}") if kind == "stats" else ""
        if self._user.key is None:
            data = self._value_json(entries[0].value, divisor)
        else:
            write_key = key_writer(self._user.key, self._names, compact=True)
            pairs = (
                f"{json_text(write_key(entry.key))}: {self._value_json(entry.value, divisor)}" for entry in entries
            )
            data = f"{{{', '.join(pairs)}}}"
        return self._json_line(kind, data)

    def _json_line(self, kind: str, data: str) -> str:
        return f'{{"type": "{kind}", "data": {{{json_text(self._label)}: {data}}}}}'

    def _divisor(self, divisor: int) -> int:
        """0 divides by one, as upstream has it; numbers of 64 bits take a negative one as unsigned, of 32 bits."""
        is_wide = not isinstance(self._user.value, IntType) or self._user.value.bits == 64
        return divisor % (1 << 32) if divisor < 0 and is_wide else divisor or 1

    def _chosen(self, raw: RawEntries, top: int, *, unset: bool) -> list[Entry]:
        is_picture = self._aggregate is not None and self._aggregate.kind in _PICTURES
        entries = self._reader.entries(raw, unset=unset and not is_picture)
        is_series = self._aggregate is not None and self._aggregate.kind is Aggregation.TSERIES
        return entries[-top:] if top and not is_series else entries  # a series has no rank

    def _value_text(self, value: Any, divisor: int) -> str:
        aggregate = self._aggregate
        if aggregate is None:
            return self._plain(text_writer(self._user.value, self._names), value, divisor)
        match aggregate.kind:
            case Aggregation.HIST | Aggregation.LHIST:
                return histogram_text(histogram_rows(aggregate, value), divisor=_of_rows(aggregate, divisor))
            case Aggregation.TSERIES:
                return time_series_text(value, self._names)
            case Aggregation.STATS:
                average = _divided(value.mean, divisor)
                return f"{{ .count = {value.count}, .average = {average}, .total = {value.total} }}"
        return str(_divided(_number(value), divisor))

    def _value_json(self, value: Any, divisor: int) -> str:
        aggregate = self._aggregate
        if aggregate is None:
            return self._plain(json_writer(self._user.value, self._names), value, divisor)
        match aggregate.kind:
            case Aggregation.HIST | Aggregation.LHIST:
                return histogram_json(histogram_rows(aggregate, value), divisor=_of_rows(aggregate, divisor))
            case Aggregation.TSERIES:
                return time_series_json(value, self._names)
            case Aggregation.STATS:
                average = _divided(value.mean, divisor)
                return f'{{"count": {value.count}, "average": {average}, "total": {value.total}}}'
        return json_integer(_divided(_number(value), divisor))

    def _plain(self, write: Callable[[Any], str], value: Any, divisor: int) -> str:
        is_number = isinstance(value, int) and not isinstance(value, bool)
        return write(_divided(value, divisor) if is_number else value)


def key_writer(key: Type | None, names: Names, *, compact: bool = False) -> Callable[[Any], str]:
    """A key as it stands between the brackets: the parts of a tuple without its parentheses."""
    if isinstance(key, TupleType):
        comma = "," if compact else ", "
        writers = tuple(text_writer(item, names, compact=compact) for item in key.elements)
        return lambda value: comma.join([write(item) for write, item in zip(writers, value, strict=True)])
    return text_writer(key, names, compact=compact) if key is not None else lambda value: ""


def _of_rows(aggregate: AggregateType, divisor: int) -> int:
    """print()'s div applies to hist(); upstream leaves lhist() as it is."""
    return divisor if aggregate.kind is Aggregation.HIST else 1


def _plain_number(value: Any, divisor: int) -> str:
    return str(value)


def _number(value: Any) -> int:
    return value.mean if isinstance(value, Average) else int(value)


def _divided(number: int, divisor: int) -> int:
    """As C divides: towards zero."""
    if divisor == 1:
        return number
    return abs(number) // abs(divisor) * (1 if (number >= 0) == (divisor > 0) else -1)
