"""A map of the program as its owner sees it: raw entries in, keys and merged values in printing order out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from tracejob_agent.output.decode import Buffer, Decoder, Value, decoder
from tracejob_agent.output.merge import Average, Merged, merge
from tracejob_agent.output.names import Names
from tracejob_agent.output.pooling import Pool
from tracejob_agent.output.tseries import merge_time_series
from tracelang.plan import UserMap
from tracelang.types import (
    AggregateType,
    Aggregation,
    BoolType,
    EnumType,
    IntType,
    StringType,
    TupleType,
    Type,
)

_PLAIN_KEYS = (IntType, StringType, BoolType, EnumType)
_KEY, _VALUE = attrgetter("key"), attrgetter("value")

RawEntries = Sequence[tuple[bytes, Sequence[Buffer]]]
"""What a map holds: (key, one value for each CPU; one value in all for plain maps)."""

Shown = Value | Merged


@dataclass(frozen=True, slots=True)
class Entry:
    """key: () of a map without keys."""

    key: Value
    value: Any  # of the map's type: see `merge` for aggregations, `decode` for the rest


class MapReader:
    """Decodes the entries of one map; made once, used at each print."""

    def __init__(self, user: UserMap, names: Names) -> None:
        self.user = user
        self._read_key: Decoder | None = decoder(user.key, names.layouts) if user.key else None
        self._aggregate = user.value if isinstance(user.value, AggregateType) else None
        self._read_value = decoder(user.value, names.layouts)
        self._pool = Pool(user, names)

    def entries(self, raw: RawEntries, *, unset: bool = True) -> list[Entry]:
        """In printing order. unset: a map without a key that wasn't set counts as one that holds zero."""
        found = []
        presence = self.user.presence
        for key, copies in self._pool.pooled(raw) if self._pool.is_needed else raw:
            if presence:
                if not unset and not any(any(bytes(copy[presence:])) for copy in copies):
                    continue
                copies = [copy[:presence] for copy in copies]
            found.append(Entry(self._read_key(key, 0) if self._read_key else (), self._value(copies)))
        if self._is_series():
            found = self._series(found)
        if self._read_key is not None:
            # Plain keys and values are their own rank, which is worth knowing when there are a million.
            plain = isinstance(self.user.key, _PLAIN_KEYS)
            found.sort(key=_KEY if plain else lambda entry: key_rank(self.user.key, entry.key))
            if not self._is_sorted_by_key():
                plain = all(type(entry.value) is int for entry in found)
                found.sort(key=_VALUE if plain else lambda entry: sort_rank(self.user.value, entry.value))
        return found

    def _value(self, copies: Sequence[Buffer]) -> Shown | Sequence[Buffer]:
        if self._aggregate is None:
            if len(copies) == 1:
                return self._read_value(copies[0], 0)
            return self._sum([self._read_value(copy, 0) for copy in copies])
        return copies if self._is_series() else merge(self._aggregate, copies)

    def _series(self, entries: list[Entry]) -> list[Entry]:
        """Time series are merged all at once: each lasts as long as the longest."""
        assert self._aggregate is not None
        merged = merge_time_series(self._aggregate, [entry.value for entry in entries])
        return [Entry(entry.key, series) for entry, series in zip(entries, merged, strict=True)]

    def _is_series(self) -> bool:
        return self._aggregate is not None and self._aggregate.kind is Aggregation.TSERIES

    def _sum(self, values: list[Any]) -> int:
        """Of pooled entries: a sum wraps where the map's own type would."""
        type_ = self.user.value
        assert isinstance(type_, IntType)
        total: int = sum(values) % (1 << type_.bits)
        return total - (1 << type_.bits) if type_.signed and total >> (type_.bits - 1) else total

    def _is_sorted_by_key(self) -> bool:
        return not isinstance(self.user.value, AggregateType | IntType) or self._is_series()


def sort_rank(type_: Type, value: Any) -> int:
    """Where an entry stands by its value, ascending."""
    match value:
        case Average():
            return value.mean
        case list() if isinstance(type_, AggregateType):
            return sum(value)
        case int():
            return value
    return 0


def key_rank(type_: Type | None, key: Any) -> tuple[Any, ...]:
    """Where an entry stands by its key: numbers by size, text by its bytes, the parts of a tuple in turn."""
    match type_:
        case TupleType(elements=elements):
            return tuple(part for item, value in zip(elements, key, strict=True) for part in key_rank(item, value))
        case IntType() | StringType() | BoolType() | EnumType():  # _PLAIN_KEYS
            return (key,)
    return (0,)
