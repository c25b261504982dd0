"""One value from many: the copies that each CPU keeps of an aggregation, folded by its own rule.

A merged value is an int (count, sum, min, max), an `Average` (avg, stats) or a list of bucket counts. What zero() left
is zero: an entry that is there is shown.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

from tracejob_agent.output.decode import Buffer
from tracelang.types import AggregateType, Aggregation

_PAIR_SIGNED = struct.Struct("<qQ")
_PAIR_UNSIGNED = struct.Struct("<QQ")
_NUMBER = struct.Struct("<Q")
_WORD = 1 << 64


@dataclass(frozen=True, slots=True)
class Average:
    """Of avg() and stats(): everything that the two show, and that merging on needs."""

    total: int
    count: int

    @property
    def mean(self) -> int:
        """As C divides: towards zero."""
        if not self.count:
            return 0
        return abs(self.total) // self.count * (1 if self.total >= 0 else -1)


Merged = int | Average | list[int]


def merge(type_: AggregateType, copies: Sequence[Buffer]) -> Merged:
    """All CPUs' copies of one entry as one value."""
    match type_.kind:
        case Aggregation.COUNT | Aggregation.SUM:
            total = sum([_NUMBER.unpack_from(copy)[0] for copy in copies])
            return as_word(total, signed=type_.signed)
        case Aggregation.MIN | Aggregation.MAX:
            pair = _PAIR_SIGNED if type_.signed else _PAIR_UNSIGNED
            values: list[int] = [value for value, is_set in (pair.unpack_from(copy) for copy in copies) if is_set]
            return (min if type_.kind is Aggregation.MIN else max)(values, default=0)
        case Aggregation.AVG | Aggregation.STATS:
            pairs = [_PAIR_UNSIGNED.unpack_from(copy) for copy in copies]
            count = sum(count for _, count in pairs)
            total = as_word(sum(total for total, _ in pairs), signed=type_.signed)
            return Average(total, count)
        case Aggregation.HIST | Aggregation.LHIST:
            return merge_buckets(copies)
        case Aggregation.TSERIES:
            raise TypeError("the intervals of a time series are merged by `tseries`")


def merge_buckets(copies: Sequence[Buffer]) -> list[int]:
    """Sums of the 64-bit counters, place by place."""
    length = len(copies[0]) // 8 if copies else 0
    unpack = struct.Struct(f"<{length}Q").unpack_from
    return [sum(column) for column in zip(*(unpack(copy) for copy in copies), strict=True)]


def as_word(value: int, *, signed: bool) -> int:
    """As a 64-bit register holds it."""
    value %= _WORD
    return value - _WORD if signed and value >= _WORD >> 1 else value
