"""Time series: the intervals of a `tseries()` value, folded over CPUs and drawn as upstream draws them."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

from tracejob_agent.output.decode import Buffer
from tracelang.types import AggregateType, Aggregation

_SLOT = struct.Struct("<qQQ")
_SLOT_UNSIGNED = struct.Struct("<QQQ")
_WIDTH = 52


@dataclass(frozen=True, slots=True)
class TimeSeries:
    """points: (epoch, value): the epoch is the number of its interval since boot.

    newest: the latest epoch of all series of the map, which all of them last until; None: nothing was recorded.
    """

    interval: int
    points: tuple[tuple[int, int], ...]
    newest: int | None
    signed: bool = True


def merge_time_series(type_: AggregateType, keys: Sequence[Sequence[Buffer]]) -> list[TimeSeries]:
    """The series of a map, one for each key, from the slots of all CPUs: {value, meta, epoch + 1}.

    meta: how many values avg() has seen; when the latest value came; whether the slot is set for the others.
    """
    interval, slots = type_.parameters[0], type_.parameters[1]
    merged = [_by_epoch(type_, copies) for copies in keys]
    newest = max((epoch for by_epoch in merged for epoch in by_epoch), default=None)
    first = newest - slots + 1 if newest is not None else 0
    return [
        TimeSeries(
            interval,
            tuple((epoch, _fold(type_.inner, items)) for epoch, items in sorted(by_epoch.items()) if epoch >= first),
            newest,
            type_.signed,
        )
        for by_epoch in merged
    ]


def _by_epoch(type_: AggregateType, copies: Sequence[Buffer]) -> dict[int, list[tuple[int, int]]]:
    layout = _SLOT if type_.signed else _SLOT_UNSIGNED
    found: dict[int, list[tuple[int, int]]] = {}
    for copy in copies:
        for index in range(type_.parameters[1]):
            value, meta, epoch = layout.unpack_from(copy, index * layout.size)
            if epoch:
                found.setdefault(epoch - 1, []).append((value, meta))
    return found


def _fold(inner: Aggregation | None, items: list[tuple[int, int]]) -> int:
    values = [value for value, _ in items]
    match inner:
        case Aggregation.MIN:
            return min(values)
        case Aggregation.MAX:
            return max(values)
        case Aggregation.AVG:
            total, count = sum(values), sum(meta for _, meta in items)
            return abs(total) // count * (1 if total >= 0 else -1)
        case Aggregation.SUM | Aggregation.COUNT:
            return sum(values)
    return max(items, key=lambda item: item[1])[0]  # the latest
