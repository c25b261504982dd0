"""The whole result goes into ConfigMaps and comes out again; what doesn't fit is counted."""

from __future__ import annotations

import pytest

from tracejob_api.maps import MapEntry, MapKind, MapSnapshot
from tracejob_api.results import PART_LIMIT, PARTS_LIMIT, ResultError, ResultHeader, WholeResult, pack, unpack
from tracejob_api.status import OutputLine

HEADER = ResultHeader(job="job", namespace="shop", uid="uid", complete=True)


def _result(*, keys: int, lines: int, width: int = 10) -> WholeResult:
    entries = tuple(MapEntry(key=(f"{number:0{width}}",), value=number) for number in range(keys))
    return WholeResult(
        header=HEADER,
        maps=(MapSnapshot(name="@a", kind=MapKind.COUNT, entries=entries), MapSnapshot(name="@b", kind=MapKind.AVG)),
        output=tuple(OutputLine(node="n", seq=number, text=f"line {number}\u2028\n") for number in range(lines)),
    )


@pytest.mark.parametrize(("keys", "lines"), [(0, 0), (3, 2), (60_000, 3)], ids=["empty", "small", "several parts"])
def test_what_was_packed_is_unpacked(keys: int, lines: int) -> None:
    result = _result(keys=keys, lines=lines)
    parts = pack(result)
    assert all(sum(len(text.encode()) for text in part.values()) <= PART_LIMIT for part in parts)
    found = unpack(parts)
    assert found.output == result.output
    assert [(item.name, len(item.entries)) for item in found.maps] == [("@a", keys), ("@b", 0)]
    assert [entry.value for entry in found.maps[0].entries] == list(range(keys))


def test_what_is_over_the_limit_is_counted() -> None:
    parts = pack(_result(keys=40_000, lines=0, width=1000))
    assert len(parts) == PARTS_LIMIT
    found = unpack(parts)
    assert found.header.entries_omitted > 0
    assert len(found.maps[0].entries) + found.header.entries_omitted == 40_000


def test_the_newest_output_is_kept() -> None:
    result = _result(keys=0, lines=100_000)
    found = unpack(pack(result))
    assert found.output[-1].seq == 99_999
    assert len(found.output) + found.header.output_omitted == 100_000


def test_a_missing_part_is_noticed() -> None:
    with pytest.raises(ResultError):
        unpack(pack(_result(keys=60_000, lines=0))[:-1])
    with pytest.raises(ResultError):
        unpack([])
