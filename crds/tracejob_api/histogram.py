"""Histograms as rows of text, the way bpftrace draws them.

Comes in: slot numbers with counts, and what the slots mean. Goes out: lines. Slot numbers are those of
`tracejob_api.maps.MapEntry.buckets`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

BAR_WIDTH = 52
LABEL_WIDTH = 16
COUNT_WIDTH = 8
_SUFFIXES = ("", "K", "M", "G", "T", "P", "E")


def hist_rows(buckets: Sequence[tuple[int, int]], *, bits: int, divisor: int = 1) -> list[str]:
    """Rows of `hist(x, bits)`, from the first slot with a count to the last, empty ones between them too."""
    return _rows(buckets, label=lambda slot: hist_label(slot, bits=bits), divisor=divisor)


def lhist_rows(buckets: Sequence[tuple[int, int]], *, parameters: tuple[int, ...], divisor: int = 1) -> list[str]:
    """Rows of `lhist(x, min, max, step)`."""
    minimum, maximum, step = parameters
    return _rows(
        buckets, label=lambda slot: lhist_label(slot, minimum=minimum, maximum=maximum, step=step), divisor=divisor
    )


def hist_range(slot: int, *, bits: int) -> tuple[int | None, int]:
    """The half-open range of values that `slot` counts; None: no lower bound."""
    if slot <= 0:
        return None, 0
    index = slot - 1
    exact = 1 << bits
    if index < exact:
        return index, index + 1
    # From here on each power of two is cut into 2^bits intervals.
    power = (index >> bits) - 1 + bits
    width = 1 << (power - bits)
    low = (1 << power) + (index & (exact - 1)) * width
    return low, low + width


def lhist_range(slot: int, *, minimum: int, maximum: int, step: int) -> tuple[int | None, int | None]:
    """The half-open range of values that `slot` counts; None: no bound."""
    if slot <= 0:
        return None, minimum
    low = minimum + (slot - 1) * step
    return (maximum, None) if low >= maximum else (low, low + step)


def hist_label(slot: int, *, bits: int) -> str:
    low, high = hist_range(slot, bits=bits)
    if low is None:
        return "(..., 0)"
    if high == low + 1:
        return f"[{low}]"
    return f"[{_short(low)}, {_short(high)})"


def lhist_label(slot: int, *, minimum: int, maximum: int, step: int) -> str:
    low, high = lhist_range(slot, minimum=minimum, maximum=maximum, step=step)
    # Suffixes only where every edge has one; otherwise rows of one histogram would be spelled in two ways.
    shown = _short if step % 1024 == 0 else str
    if low is None:
        return f"(..., {shown(minimum)})"
    if high is None:
        return f"[{shown(maximum)}, ...)"
    return f"[{shown(low)}, {shown(high)})"


def _short(number: int) -> str:
    """`4096` as `4K`: the largest power of 1024 that divides it."""
    exponent = 0
    while number and number % 1024 == 0 and exponent + 1 < len(_SUFFIXES):
        number //= 1024
        exponent += 1
    return f"{number}{_SUFFIXES[exponent]}"


def _rows(buckets: Iterable[tuple[int, int]], *, label: Callable[[int], str], divisor: int) -> list[str]:
    counts = {slot: count for slot, count in buckets if count}
    if not counts:
        return []
    highest = max(counts.values())
    rows = []
    for slot in range(min(counts), max(counts) + 1):
        count = counts.get(slot, 0)
        bar = "@" * (count * BAR_WIDTH // highest)
        rows.append(f"{label(slot):<{LABEL_WIDTH}}{count // divisor:>{COUNT_WIDTH}} |{bar:<{BAR_WIDTH}}|")
    return rows
