"""N nodes give what one node would have given."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracejob_api.maps import MapEntry, MapKind, MapMerge, MapSnapshot
from tracejob_operator.merge import merge_maps

KEYS = ("a", "b", "c")

Events = Sequence[tuple[str, int]]
"""(key, value) as a program on one node sees them."""


def _aggregate(kind: MapKind, events: Events) -> MapSnapshot:
    """What one node's map holds after these events."""
    values: dict[str, list[int]] = {}
    for key, value in events:
        values.setdefault(key, []).append(value)
    entries = tuple(_ENTRIES[kind]((key,), found) for key, found in values.items())
    return MapSnapshot(name="@", kind=kind, entries=entries, key_types=("string[16]",), signed=True, merge=MapMerge.SUM)


def _buckets(values: Iterable[int]) -> tuple[tuple[int, int], ...]:
    counts: dict[int, int] = {}
    for value in values:
        slot = 0 if value < 0 else 1 + value.bit_length()
        counts[slot] = counts.get(slot, 0) + 1
    return tuple(sorted(counts.items()))


_ENTRIES: dict[MapKind, Callable[[tuple[object, ...], list[int]], MapEntry]] = {
    MapKind.COUNT: lambda key, values: MapEntry(key=key, value=len(values)),
    MapKind.SUM: lambda key, values: MapEntry(key=key, value=sum(values)),
    MapKind.SCALAR: lambda key, values: MapEntry(key=key, value=sum(values)),
    MapKind.MIN: lambda key, values: MapEntry(key=key, value=min(values)),
    MapKind.MAX: lambda key, values: MapEntry(key=key, value=max(values)),
    MapKind.AVG: lambda key, values: MapEntry(key=key, sum=sum(values), count=len(values)),
    MapKind.STATS: lambda key, values: MapEntry(key=key, sum=sum(values), count=len(values)),
    MapKind.HIST: lambda key, values: MapEntry(key=key, buckets=_buckets(values)),
    MapKind.LHIST: lambda key, values: MapEntry(key=key, buckets=_buckets(values)),
}

_events = st.lists(st.tuples(st.sampled_from(KEYS), st.integers(min_value=-(2**40), max_value=2**40)), max_size=30)


@pytest.mark.parametrize("kind", _ENTRIES, ids=lambda kind: kind.value)
@given(nodes=st.lists(_events, min_size=1, max_size=4))
def test_several_nodes_give_what_one_would(kind: MapKind, nodes: list[Events]) -> None:
    one = _aggregate(kind, [event for events in nodes for event in events])
    (merged,) = merge_maps({f"n{number}": [_aggregate(kind, events)] for number, events in enumerate(nodes)})
    assert not merged.by_node
    assert {entry.key: entry for entry in merged.entries} == {entry.key: entry for entry in one.entries}


@given(nodes=st.lists(_events, min_size=2, max_size=4), order=st.randoms())
def test_the_order_of_nodes_does_not_matter(nodes: list[Events], order: object) -> None:
    snapshots = {f"n{number}": [_aggregate(MapKind.SUM, events)] for number, events in enumerate(nodes)}
    names = list(snapshots)
    order.shuffle(names)  # type: ignore[attr-defined]  # hypothesis' Random
    assert merge_maps({name: snapshots[name] for name in names}) == merge_maps(snapshots)


def test_a_scalar_that_was_assigned_gets_the_node_as_its_first_key() -> None:
    def of(value: object) -> MapSnapshot:
        entry = MapEntry(key=("k",), value=value)
        return MapSnapshot(name="@last", kind=MapKind.SCALAR, entries=(entry,), key_types=("string[16]",))

    (merged,) = merge_maps({"n2": [of("b")], "n1": [of("a")]})
    assert merged.by_node
    assert merged.key_types == ("string", "string[16]")
    assert [(entry.key, entry.value) for entry in merged.entries] == [(("n1", "k"), "a"), (("n2", "k"), "b")]


def test_text_is_never_added_up_whatever_the_agent_says() -> None:
    def of(value: object) -> MapSnapshot:
        return MapSnapshot(name="@", kind=MapKind.SCALAR, entries=(MapEntry(value=value),), merge=MapMerge.SUM)

    (merged,) = merge_maps({"n1": [of("a")], "n2": [of("b")]})
    assert merged.by_node


def test_one_node_keeps_the_shape_that_the_program_has() -> None:
    snapshot = MapSnapshot(name="@", kind=MapKind.SCALAR, entries=(MapEntry(value="x"),))
    assert merge_maps({"n1": [snapshot]}) == (snapshot,)


def test_counters_wrap_around_as_the_kernels_do() -> None:
    def of(value: int) -> MapSnapshot:
        return MapSnapshot(name="@", kind=MapKind.SUM, entries=(MapEntry(value=value),), signed=False)

    (merged,) = merge_maps({"n1": [of(2**64 - 1)], "n2": [of(3)]})
    assert merged.entries[0].value == 2


def test_keys_of_different_types_are_different_keys() -> None:
    def of(key: object) -> MapSnapshot:
        return MapSnapshot(name="@", kind=MapKind.COUNT, entries=(MapEntry(key=(key,), value=1),))

    (merged,) = merge_maps({"n1": [of(1)], "n2": [of("1")], "n3": [of(True)]})
    assert [entry.value for entry in merged.entries] == [1, 1, 1]


def test_left_out_keys_add_up_and_maps_of_some_nodes_only_are_kept() -> None:
    first = MapSnapshot(name="@", kind=MapKind.COUNT, omitted=2)
    second = MapSnapshot(name="@", kind=MapKind.COUNT, omitted=3)
    other = MapSnapshot(name="@b", kind=MapKind.COUNT)
    merged = merge_maps({"n1": [first], "n2": [second, other]})
    assert [(item.name, item.omitted) for item in merged] == [("@", 5), ("@b", 0)]
