"""The exact merge of several agents' maps: N nodes give what one node would have given.

    count, sum, hist, lhist    add up, key by key and bucket by bucket
    min, max                   fold
    avg, stats                 sums and counts add up; the average is made at the end, from both
    scalar, written only by ++ -- += -=    adds up
    any other scalar, tseries              can't be added: the node becomes a leading key

In: maps by node. Out: maps, in the order in which the first node has them. The order of nodes doesn't matter.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import assert_never

import msgspec

from tracejob_api.maps import MapEntry, MapKind, MapMerge, MapSnapshot

_ENCODER = msgspec.json.Encoder(order="deterministic")
_WORD = 1 << 64


def merge_maps(by_node: Mapping[str, Sequence[MapSnapshot]]) -> tuple[MapSnapshot, ...]:
    """All maps of all nodes. A single node's maps are left as they are."""
    if len(by_node) == 1:
        return tuple(next(iter(by_node.values())))
    grouped: dict[str, dict[str, MapSnapshot]] = {}
    for node in sorted(by_node):
        for snapshot in by_node[node]:
            grouped.setdefault(snapshot.name, {})[node] = snapshot
    return tuple(merge_snapshots(snapshots) for snapshots in grouped.values())


def merge_snapshots(by_node: Mapping[str, MapSnapshot]) -> MapSnapshot:
    """One map of several nodes."""
    first = next(iter(by_node.values()))
    if needs_node_key(first):
        return _side_by_side(by_node)
    merged: dict[bytes, MapEntry] = {}
    for snapshot in by_node.values():
        for entry in snapshot.entries:
            identity = _ENCODER.encode(entry.key)
            before = merged.get(identity)
            merged[identity] = entry if before is None else _merge_entries(before, entry, kind=first)
    return msgspec.structs.replace(
        first, entries=tuple(merged.values()), omitted=sum(snapshot.omitted for snapshot in by_node.values())
    )


def needs_node_key(snapshot: MapSnapshot) -> bool:
    """Whether values of two nodes can't become one."""
    match snapshot.kind:
        case MapKind.SCALAR:
            # Text, tuples and the like are never sums, whatever the agent says.
            integers = all(_is_integer(entry.value) for entry in snapshot.entries)
            return snapshot.merge is not MapMerge.SUM or not integers
        case MapKind.TSERIES:
            return True
    return False


def _side_by_side(by_node: Mapping[str, MapSnapshot]) -> MapSnapshot:
    first = next(iter(by_node.values()))
    entries = [
        msgspec.structs.replace(entry, key=(node, *entry.key))
        for node, snapshot in by_node.items()
        for entry in snapshot.entries
    ]
    return msgspec.structs.replace(
        first,
        entries=tuple(entries),
        key_types=("string", *first.key_types),
        omitted=sum(snapshot.omitted for snapshot in by_node.values()),
        by_node=True,
    )


def _merge_entries(one: MapEntry, other: MapEntry, *, kind: MapSnapshot) -> MapEntry:
    match kind.kind:
        case MapKind.COUNT | MapKind.SUM | MapKind.SCALAR:
            total = _wrap(_integer(one) + _integer(other), signed=kind.signed)
            return msgspec.structs.replace(one, value=total)
        case MapKind.MIN:
            return msgspec.structs.replace(one, value=min(_integer(one), _integer(other)))
        case MapKind.MAX:
            return msgspec.structs.replace(one, value=max(_integer(one), _integer(other)))
        case MapKind.AVG | MapKind.STATS:
            total = _wrap(one.sum + other.sum, signed=kind.signed)
            return msgspec.structs.replace(one, sum=total, count=one.count + other.count)
        case MapKind.HIST | MapKind.LHIST:
            return msgspec.structs.replace(one, buckets=_add_buckets(one.buckets, other.buckets))
        case MapKind.TSERIES:
            raise TypeError("time series of two nodes have no common clock")
    assert_never(kind.kind)


def _add_buckets(one: Sequence[tuple[int, int]], other: Sequence[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    total = dict(one)
    for slot, count in other:
        total[slot] = total.get(slot, 0) + count
    return tuple(sorted(total.items()))


def _wrap(value: int, *, signed: bool) -> int:
    """As the kernel's 64-bit counters would have: one node that saw it all wraps around as well."""
    value %= _WORD
    return value - _WORD if signed and value >= _WORD // 2 else value


def _is_integer(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _integer(entry: MapEntry) -> int:
    if isinstance(entry.value, int):
        return entry.value
    raise TypeError(f"not a number in a map of numbers: {entry.value!r}")
