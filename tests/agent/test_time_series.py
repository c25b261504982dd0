"""Time series as bpftrace 0.27.1 draws them."""

from __future__ import annotations

import struct

from tracejob_agent.output.names import Names
from tracejob_agent.output.tseries import TimeSeries, merge_time_series
from tracejob_agent.output.tseries_format import time_series_text
from tracelang.types import AggregateType, Aggregation

SECOND = 1_000_000_000


class Calendar(Names):
    """The boot clock is the calendar's, so that pictures don't depend on the machine."""

    def wall_clock(self, clock: str, nanoseconds: int) -> int:
        return nanoseconds


def slots(*points: tuple[int, int, int], count: int) -> bytes:
    """(epoch, value, meta) at the places that the programs use."""
    raw = bytearray(24 * count)
    for epoch, value, meta in points:
        struct.pack_into("<qQQ", raw, 24 * (epoch % count), value, meta, epoch + 1)
    return bytes(raw)


def series_of(inner: Aggregation | None, *copies: bytes, count: int) -> TimeSeries:
    return merge_time_series(AggregateType(Aggregation.TSERIES, True, (SECOND, count), inner), [copies])[0]


def test_values_stand_between_the_borders_that_are_the_least_and_the_greatest() -> None:
    shown = time_series_text(TimeSeries(SECOND, ((1, 30), (3, 40)), newest=3), Calendar()).splitlines()
    assert shown[0] == "         30                                                 40"
    assert shown[1] == "hh:mm:ss |___________________________________________________|"
    assert shown[2].endswith(" *                                                   | 30")
    assert shown[3].endswith(" |                                                   | -")
    assert shown[4].endswith(" |                                                   * 40")
    assert shown[5] == "         v___________________________________________________v"
    assert shown[6] == shown[0]


def test_one_value_alone_stands_in_the_middle_with_its_full_time() -> None:
    shown = time_series_text(TimeSeries(SECOND // 10, ((15, 5),), newest=15), Calendar()).splitlines()
    assert shown[1].startswith("hh:mm:ss.ns        |")
    assert shown[2][8:] == ".500000000 |                         *                         | 5"


def test_zeros_without_a_sign_stand_at_the_left() -> None:
    shown = time_series_text(TimeSeries(SECOND, ((1, 0), (2, 0)), 2, signed=False), Calendar()).splitlines()
    assert shown[0].split() == ["0", "1"]
    assert shown[2][9:] == "*                                                   | 0"


def test_sums_of_processors_add_up_by_interval() -> None:
    series = series_of(Aggregation.SUM, slots((5, 1, 1), (6, 2, 1), count=4), slots((6, 10, 1), count=4), count=4)
    assert series.points == ((5, 1), (6, 12))


def test_the_latest_value_is_that_of_the_processor_that_wrote_last() -> None:
    series = series_of(None, slots((5, 1, 900), count=4), slots((5, 2, 700), count=4), count=4)
    assert series.points == ((5, 1),)


def test_averages_weigh_every_value_the_same() -> None:
    series = series_of(Aggregation.AVG, slots((5, 10, 1), count=2), slots((5, 2, 3), count=2), count=2)
    assert series.points == ((5, 3),)


def test_what_fell_out_of_the_window_on_one_processor_is_not_shown_from_another() -> None:
    series = series_of(Aggregation.SUM, slots((9, 1, 1), count=3), slots((5, 7, 1), count=3), count=3)
    assert series.points == ((9, 1),)


def test_series_of_one_map_last_until_its_newest_value() -> None:
    kind = AggregateType(Aggregation.TSERIES, True, (SECOND, 4), Aggregation.SUM)
    early, late, old = merge_time_series(
        kind, [[slots((5, 1, 1), count=4)], [slots((6, 2, 1), count=4)], [slots((1, 3, 1), count=4)]]
    )
    rows = time_series_text(early, Calendar()).splitlines()
    assert rows[2].endswith("| 1") and rows[3].endswith("| -")
    assert len(time_series_text(late, Calendar()).splitlines()) == 5
    assert old.points == ()
    assert "null" in time_series_text(old, Calendar())


def test_zero_is_marked_between_negative_and_positive_values() -> None:
    shown = time_series_text(TimeSeries(SECOND, ((1, -5), (2, 5)), newest=2), Calendar()).splitlines()
    assert [row[9:].index(".") for row in shown[2:4]] == [26, 26]


def test_nothing_recorded_is_said() -> None:
    assert time_series_text(series_of(None, slots(count=4), count=4), Calendar()) == "<no data>"
