"""Maps as text: what bpftrace prints for the same values."""

from __future__ import annotations

from itertools import pairwise

import pytest

from tracejob_api.escape import escape, escape_line
from tracejob_api.histogram import hist_label, hist_range, lhist_label
from tracejob_api.maps import MapEntry, MapKind, MapSnapshot
from tracejob_api.text import render_map, render_maps

FULL = "@" * 52
EMPTY = " " * 52


def scalar(name: str, *entries: tuple[tuple[object, ...], object], kind: MapKind = MapKind.SCALAR) -> MapSnapshot:
    return MapSnapshot(name=name, kind=kind, entries=tuple(MapEntry(key=key, value=value) for key, value in entries))


def test_scalar_and_keyed_maps() -> None:
    maps = [
        scalar("@bs", ((2,), 5), ((1,), 1), ((0,), 3)),
        scalar("@a", ((), 7)),
        scalar("@c", (("a", 1), 1), kind=MapKind.COUNT),
        scalar("@t", ((), [1, "x"])),
    ]
    assert render_maps(maps) == ("@a: 7\n@bs[1]: 1\n@bs[0]: 3\n@bs[2]: 5\n@c[a, 1]: 1\n@t: (1, x)\n")


def test_stats_and_average_divide_towards_zero() -> None:
    stats = MapSnapshot(name="@s", kind=MapKind.STATS, entries=(MapEntry(sum=13, count=2),))
    assert render_map(stats) == "@s: { .count = 2, .average = 6, .total = 13 }\n"
    average = MapSnapshot(name="@a", kind=MapKind.AVG, entries=(MapEntry(sum=-13, count=2),))
    assert render_map(average) == "@a: -6\n"


def test_histogram_rows_from_first_to_last_used_slot() -> None:
    # hist(5), hist(0), hist(-3), hist(1)
    histogram = MapSnapshot(
        name="@h", kind=MapKind.HIST, entries=(MapEntry(buckets=((0, 1), (1, 1), (2, 1), (4, 2))),), parameters=(0,)
    )
    half = "@" * 26 + " " * 26
    assert render_map(histogram) == (
        "@h:\n"
        f"(..., 0)               1 |{half}|\n"
        f"[0]                    1 |{half}|\n"
        f"[1]                    1 |{half}|\n"
        f"[2, 4)                 0 |{EMPTY}|\n"
        f"[4, 8)                 2 |{FULL}|\n"
        "\n"
    )


def test_keyed_histograms_stand_by_how_much_they_hold() -> None:
    histogram = MapSnapshot(
        name="@hk",
        kind=MapKind.HIST,
        entries=(MapEntry(key=(1,), buckets=((3, 2),)), MapEntry(key=(2,), buckets=((3, 1),))),
        parameters=(0,),
    )
    row = f"[2, 4)                 %d |{FULL}|\n"
    assert render_map(histogram) == f"@hk[2]:\n{row % 1}\n@hk[1]:\n{row % 2}\n"


def test_linear_histogram() -> None:
    histogram = MapSnapshot(
        name="@l",
        kind=MapKind.LHIST,
        entries=(MapEntry(key=(1, "a"), buckets=((0, 1), (1, 1), (3, 1))),),
        parameters=(0, 20, 10),
    )
    assert render_map(histogram) == (
        "@l[1, a]:\n"
        f"(..., 0)               1 |{FULL}|\n"
        f"[0, 10)                1 |{FULL}|\n"
        f"[10, 20)               0 |{EMPTY}|\n"
        f"[20, ...)              1 |{FULL}|\n"
        "\n"
    )


@pytest.mark.parametrize(
    ("slot", "bits", "label"),
    [
        (0, 0, "(..., 0)"),
        (2, 0, "[1]"),
        (12, 0, "[1K, 2K)"),
        (23, 0, "[2M, 4M)"),
        (34, 0, "[4G, 8G)"),
        (42, 0, "[1T, 2T)"),
        (65, 0, "[8E, 16E)"),
        (10, 2, "[10, 12)"),
        (23, 2, "[96, 112)"),
        (38, 2, "[1280, 1536)"),
        (45, 2, "[4K, 5K)"),
    ],
)
def test_histogram_labels(slot: int, bits: int, label: str) -> None:
    assert hist_label(slot, bits=bits) == label


@pytest.mark.parametrize("bits", [0, 1, 3, 5])
def test_histogram_slots_follow_each_other_without_gap(bits: int) -> None:
    slots = (64 - bits + 1) * (1 << bits) + 1
    edges = [hist_range(slot, bits=bits) for slot in range(1, slots)]
    assert edges[0][0] == 0
    assert edges[-1][1] == 1 << 64
    assert all(before[1] == after[0] for before, after in pairwise(edges))


def test_linear_labels_have_suffixes_only_when_every_edge_has_one() -> None:
    assert lhist_label(2, minimum=0, maximum=102400, step=1024) == "[1K, 2K)"
    assert lhist_label(11, minimum=0, maximum=20480, step=1000) == "[10000, 11000)"


def test_maps_without_entries_print_nothing() -> None:
    assert render_map(scalar("@e")) == ""


def test_top_and_divisor() -> None:
    totals = scalar("@m", ((1,), 10), ((2,), 20), ((3,), 30), kind=MapKind.SUM)
    assert render_map(totals, top=2, divisor=10) == "@m[2]: 2\n@m[3]: 3\n"


def test_a_key_can_neither_steer_the_terminal_nor_pass_for_a_line() -> None:
    hostile = scalar("@f", (("a\x1b[2Jb\n@g: 1",), 1))
    assert render_map(hostile, quote=escape_line) == "@f[a\\x1b[2Jb\\n@g: 1]: 1\n"


def test_escape_keeps_ordinary_text() -> None:
    assert escape("größe\tπ\n") == "größe\tπ\n"
    assert escape("\u202eevil\udcff") == "\\u202eevil\\xff"
