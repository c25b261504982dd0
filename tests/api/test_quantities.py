"""Durations and byte counts, as people write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracejob_api.quantities import format_duration, parse_duration, parse_quantity


@pytest.mark.parametrize(
    ("text", "seconds"), [("60s", 60), ("1m30s", 90), ("24h", 86400), ("500ms", 0.5), ("1.5h", 5400), ("0.1s", 0.1)]
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "60", "s", "1 m", "-1s", "1d", "1s ", "１s"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a duration"):
        parse_duration(text)


@given(st.integers(min_value=1, max_value=86_400_000))
def test_a_formatted_duration_means_the_same(milliseconds: int) -> None:
    assert round(parse_duration(format_duration(milliseconds / 1000)) * 1000) == milliseconds


@pytest.mark.parametrize(("text", "size"), [(4096, 4096), ("10Mi", 10 << 20), ("1k", 1000), ("1.5Ki", 1536), ("7", 7)])
def test_quantities(text: int | str, size: int) -> None:
    assert parse_quantity(text) == size


@pytest.mark.parametrize("text", ["", "Mi", "1mi", "-1", "1 Mi"])
def test_what_is_no_quantity_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a number of bytes"):
        parse_quantity(text)
