"""Maps as text and JSON: per-CPU copies merged by each aggregation's rule, in bpftrace 0.27.1's spelling and order."""

from __future__ import annotations

import json
import struct
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracejob_agent.output.histogram import histogram_rows, log_rows
from tracejob_agent.output.map_format import MapFormat
from tracejob_agent.output.names import Names
from tracelang.plan import ScalarMerge, UserMap
from tracelang.types import (
    S32,
    S64,
    U64,
    AggregateType,
    Aggregation,
    StringType,
    TaggedType,
    TagKind,
    TupleType,
    Type,
    hist_buckets,
    lhist_buckets,
)

BAR = "@" * 52
EMPTY = " " * 52


def words(*numbers: int) -> bytes:
    return b"".join(struct.pack("<Q", number % (1 << 64)) for number in numbers)


def format_of(value: Type, key: Type | None = None, *, name: str = "x") -> MapFormat:
    per_cpu = isinstance(value, AggregateType)
    return MapFormat(UserMap(name, key, value, per_cpu), Names())


def buckets(count: int, **filled: int) -> bytes:
    numbers = [0] * count
    for index, number in filled.items():
        numbers[int(index[1:])] = number
    return words(*numbers)


def test_counts_of_all_processors_add_up() -> None:
    shown = format_of(AggregateType(Aggregation.COUNT)).text([(b"", [words(2), words(3)])])
    assert shown == "@x: 5\n"


@pytest.mark.parametrize(
    ("kind", "parameters", "size", "shown"),
    [
        (Aggregation.COUNT, (), 1, "@x: 0\n"),
        (Aggregation.MIN, (), 2, "@x: 0\n"),
        (Aggregation.AVG, (), 2, "@x: 0\n"),
        (Aggregation.STATS, (), 2, "@x: { .count = 0, .average = 0, .total = 0 }\n"),
        (Aggregation.HIST, (0,), 66, "@x:\n\n"),
        (Aggregation.LHIST, (0, 10, 1), 12, "@x:\n\n"),
    ],
)
def test_what_was_zeroed_is_shown_as_zero(
    kind: Aggregation, parameters: tuple[int, ...], size: int, shown: str
) -> None:
    assert format_of(AggregateType(kind, parameters=parameters)).text([(b"", [words(*[0] * size)])]) == shown


def test_a_signed_sum_below_zero() -> None:
    shown = format_of(AggregateType(Aggregation.SUM, signed=True)).text([(b"", [words(-7), words(2)])])
    assert shown == "@x: -5\n"


def test_min_and_max_leave_out_processors_that_saw_nothing() -> None:
    copies = [words(0, 0), words(-3, 1), words(8, 1)]
    assert format_of(AggregateType(Aggregation.MIN, signed=True)).text([(b"", copies)]) == "@x: -3\n"
    assert format_of(AggregateType(Aggregation.MAX, signed=True)).text([(b"", copies)]) == "@x: 8\n"


def test_an_average_is_that_of_all_values_not_of_the_processors() -> None:
    shown = format_of(AggregateType(Aggregation.AVG, signed=True)).text([(b"", [words(-10, 1), words(-5, 3)])])
    assert shown == "@x: -3\n"  # -15 / 4, towards zero


def test_stats_show_count_average_and_total() -> None:
    made = format_of(AggregateType(Aggregation.STATS, signed=True), S64)
    entries = [(words(1), [words(5, 1), words(8, 1)])]
    assert made.text(entries) == "@x[1]: { .count = 2, .average = 6, .total = 13 }\n"
    assert made.json(entries) == '{"type": "stats", "data": {"@x": {"1": {"count": 2, "average": 6, "total": 13}}}}'


def test_entries_stand_in_the_order_of_their_values_then_keys() -> None:
    entries = [(b"b\0\0\0", [words(1)]), (b"c\0\0\0", [words(3)]), (b"a\0\0\0", [words(1)])]
    shown = format_of(AggregateType(Aggregation.COUNT), StringType(4)).text(entries)
    assert shown == "@x[a]: 1\n@x[b]: 1\n@x[c]: 3\n"


def test_values_that_are_not_numbers_stand_in_the_order_of_their_keys() -> None:
    key = TupleType((S64, StringType(8)))
    entries = [
        (words(1) + b"b".ljust(8, b"\0"), [b"z\0"]),
        (words(1) + b"a".ljust(8, b"\0"), [b"y\0"]),
        (words(0) + bytes(8), [b"x\0"]),
    ]
    assert format_of(StringType(2), key).text(entries) == "@x[0, ]: x\n@x[1, a]: y\n@x[1, b]: z\n"


def test_top_keeps_the_greatest_and_div_divides_towards_zero() -> None:
    made = format_of(S64, S64)
    entries = [(words(key), [words(value)]) for key, value in ((1, 50), (2, -7), (3, 30))]
    assert made.text(entries, top=2) == "@x[3]: 30\n@x[1]: 50\n"
    assert made.text(entries, divisor=2) == "@x[2]: -3\n@x[3]: 15\n@x[1]: 25\n"


def test_div_of_an_average_divides_the_average_only() -> None:
    made = format_of(AggregateType(Aggregation.STATS))
    assert made.text([(b"", [words(30, 2)])], divisor=2) == "@x: { .count = 2, .average = 7, .total = 30 }\n"


def test_a_histogram_is_drawn_from_its_first_to_its_last_bucket() -> None:
    made = format_of(AggregateType(Aggregation.HIST, parameters=(0,)), name="b")
    raw = [(b"", [buckets(66, b4=1), buckets(66, b6=2)])]
    assert made.text(raw) == (
        "@b:\n"
        f"[4, 8)                 1 |{'@' * 26}{' ' * 26}|\n"
        f"[8, 16)                0 |{EMPTY}|\n"
        f"[16, 32)               2 |{BAR}|\n"
        "\n"
    )
    assert made.json(raw) == (
        '{"type": "hist", "data": {"@b": [{"min": 4, "max": 7, "count": 1},'
        '{"min": 8, "max": 15, "count": 0},{"min": 16, "max": 31, "count": 2}]}}'
    )


@pytest.mark.parametrize(
    ("bits", "index", "label"),
    [
        (0, 0, "(..., 0)"),
        (0, 1, "[0]"),
        (0, 2, "[1]"),
        (0, 3, "[2, 4)"),
        (0, 11, "[512, 1K)"),
        (0, 12, "[1K, 2K)"),
        (0, 22, "[1M, 2M)"),
        (2, 7, "[6]"),
        (2, 9, "[8, 10)"),
        (2, 23, "[96, 112)"),
    ],
)
def test_bucket_labels(bits: int, index: int, label: str) -> None:
    assert log_rows(bits, [0] * hist_buckets(bits))[index].label == label


@given(st.integers(0, 5))
def test_log_buckets_cover_every_number_once(bits: int) -> None:
    rows = log_rows(bits, [0] * hist_buckets(bits))[1:]
    assert rows[0].minimum == 0
    for earlier, later in pairwise(rows):
        assert earlier.maximum is not None
        assert later.minimum == earlier.maximum + 1
    assert rows[-1].maximum == (1 << 64) - 1


@pytest.mark.parametrize(
    ("parameters", "labels"),
    [
        ((0, 4, 2), ["(..., 0)", "[0, 2)", "[2, 4)", "[4, ...)"]),
        ((0, 2, 1), ["(..., 0)", "[0]", "[1]", "[2, ...)"]),
        ((0, 2048, 1024), ["(..., 0)", "[0, 1K)", "[1K, 2K)", "[2K, ...)"]),
        ((1000, 3048, 1024), ["(..., 1000)", "[1000, 2024)", "[2024, 3048)", "[3048, ...)"]),
        ((2, 10, 3), ["(..., 2)", "[2, 5)", "[5, 8)", "[8, ...)"]),  # the cut step belongs to the rest
    ],
)
def test_linear_labels(parameters: tuple[int, int, int], labels: list[str]) -> None:
    type_ = AggregateType(Aggregation.LHIST, parameters=parameters)
    rows = histogram_rows(type_, [1] * lhist_buckets(*parameters))
    assert [row.label for row in rows] == labels
    assert sum(row.count for row in rows) == lhist_buckets(*parameters)


def test_a_keyed_map_as_json_names_each_entry() -> None:
    made = format_of(S32, TupleType((S64, StringType(8))), name="a")
    line = made.json([(words(1) + b"x".ljust(8, b"\0"), [struct.pack("<i", 2)])])
    assert line == '{"type": "map", "data": {"@a": {"1,x": 2}}}'


def test_an_empty_map_prints_nothing() -> None:
    assert format_of(U64, U64).text([]) == ""
    assert format_of(U64, U64).json([]) == ""


@given(st.lists(st.tuples(st.integers(0, 2**63), st.integers(0, 5)), min_size=1, max_size=8))
def test_a_sum_is_the_same_however_it_is_spread_over_processors(values: list[tuple[int, int]]) -> None:
    spread = [0] * 6
    for number, cpu in values:
        spread[cpu] += number
    made = format_of(AggregateType(Aggregation.SUM))
    total = sum(number for number, _ in values) % (1 << 64)
    line = made.json([(b"", [words(item) for item in spread])])
    assert (json.loads(line)["data"]["@x"] if line else 0) in (total, str(total))


@pytest.mark.parametrize(
    ("value", "copies", "shown"),
    [
        (AggregateType(Aggregation.COUNT), (words(2), words(3), words(4)), ["@x[web, 1]: 5", "@x[api, 1]: 4"]),
        (AggregateType(Aggregation.MAX), (words(2, 1), words(3, 1), words(4, 1)), ["@x[web, 1]: 3", "@x[api, 1]: 4"]),
        (U64, (words(2), words(3), words(4)), ["@x[web, 1]: 5", "@x[api, 1]: 4"]),
    ],
    ids=["count", "max", "number that was added up"],
)
def test_cgroups_of_one_pod_are_one_key_when_the_pod_is_shown(
    value: Type, copies: tuple[bytes, ...], shown: list[str]
) -> None:
    pods = {11: "web", 12: "web", 13: "api"}
    names = Names(kubernetes=lambda kind, number: pods[number])
    key = TupleType((TaggedType(TagKind.POD), U64))
    map_ = MapFormat(UserMap("x", key, value, isinstance(value, AggregateType), ScalarMerge.SUM), names)
    raw = [(words(number, 1), [copy]) for number, copy in zip((11, 12, 13), copies, strict=True)]
    assert sorted(map_.text(raw).split("\n")) == sorted([*shown, ""])


def test_numbers_that_do_not_add_up_stay_apart_by_cgroup() -> None:
    names = Names(kubernetes=lambda kind, number: "web")
    map_ = MapFormat(UserMap("x", TaggedType(TagKind.POD), U64, False), names)
    assert map_.text([(words(11), [words(2)]), (words(12), [words(3)])]) == "@x[web]: 2\n@x[web]: 3\n"
