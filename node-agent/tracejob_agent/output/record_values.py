"""Values and maps as the agent's records carry them: exact, typed, plain JSON; nothing is rounded or laid out for show.

Numbers stay numbers, so that maps of several nodes merge exactly; symbols, stacks and addresses become text here, as
only this machine can name them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from tracejob_agent.output.map_content import Entry, MapReader, RawEntries
from tracejob_agent.output.merge import Average
from tracejob_agent.output.names import Names
from tracejob_agent.output.show import text_writer
from tracejob_agent.output.tseries import TimeSeries
from tracejob_api.maps import MapEntry, MapKind, MapMerge, MapSnapshot
from tracelang.plan import UserMap
from tracelang.types import (
    AggregateType,
    ArrayType,
    BoolType,
    IntType,
    RecordType,
    StringType,
    TupleType,
    Type,
    name_of,
)

Plain = Callable[[Any], object]  # Any: a decoded value of the type that the function was made for


def plain(type_: Type, names: Names) -> Plain:
    """The function that makes a decoded value of `type_` fit for JSON."""
    match type_:
        case IntType() | BoolType():
            return lambda value: value
        case StringType():
            return readable
        case ArrayType(element=element):
            inner = plain(element, names)
            return lambda value: [inner(item) for item in value]
        case TupleType(elements=elements):
            parts = [plain(item, names) for item in elements]
            return lambda value: [part(item) for part, item in zip(parts, value, strict=True)]
        case RecordType(fields=fields):
            named = {name: plain(item, names) for name, item in fields}
            return lambda value: {name: named[name](item) for name, item in value.items()}
    write = text_writer(type_, names)
    return lambda value: as_unicode(write(value))


def readable(data: bytes) -> str:
    """Traced bytes as text: what isn't UTF-8 is shown as \\xNN. Control characters stay; who prints escapes them."""
    return data.decode("utf-8", "backslashreplace")


def as_unicode(text: str) -> str:
    """Text that may hold raw bytes (surrogates), which JSON can't."""
    if text.isascii():
        return text
    return readable(text.encode("utf-8", "surrogateescape"))


class MapRecorder:
    """One map of the program as snapshots; made once, used for each."""

    def __init__(self, user: UserMap, names: Names) -> None:
        self._user = user
        self._reader = MapReader(user, names)
        self._aggregate = user.value if isinstance(user.value, AggregateType) else None
        self._key_types: tuple[Type, ...] = ()
        if user.key is not None:
            self._key_types = user.key.elements if isinstance(user.key, TupleType) else (user.key,)
        self._key_parts = [plain(item, names) for item in self._key_types]
        self._value = plain(user.value, names)

    def snapshot(self, raw: RawEntries, *, most: int) -> MapSnapshot:
        """At most `most` entries, those that stand last in printing order; the others are counted."""
        entries = self._reader.entries(raw)
        omitted = max(0, len(entries) - most)
        user, aggregate = self._user, self._aggregate
        return MapSnapshot(
            name=f"@{user.name}",
            kind=MapKind(aggregate.kind.value) if aggregate else MapKind.SCALAR,
            entries=tuple(self._entry(entry) for entry in entries[omitted:]),
            key_types=tuple(name_of(item) for item in self._key_types),
            value_type=name_of(user.value),
            signed=aggregate.signed if aggregate else isinstance(user.value, IntType) and user.value.signed,
            parameters=aggregate.parameters if aggregate else (),
            merge=MapMerge(user.merge.value),
            omitted=omitted,
        )

    def _entry(self, entry: Entry) -> MapEntry:
        key = self._key(entry.key)
        value = entry.value
        if self._aggregate is None:
            return MapEntry(key=key, value=self._value(value))
        match value:
            case Average(total=total, count=count):
                return MapEntry(key=key, sum=total, count=count)
            case TimeSeries(points=points):
                return MapEntry(key=key, points=tuple((number, item, 1) for number, item in points))
            case list():
                return MapEntry(key=key, buckets=tuple((slot, count) for slot, count in enumerate(value) if count))
        return MapEntry(key=key, value=value)

    def _key(self, key: Any) -> tuple[object, ...]:
        if not self._key_types:
            return ()
        parts: Sequence[Any] = key if isinstance(self._user.key, TupleType) else (key,)
        return tuple(make(part) for make, part in zip(self._key_parts, parts, strict=True))
