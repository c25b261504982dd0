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
    """Rows of `lhist(x, min, max, step)`. A last step that would reach beyond `max` belongs to the rest."""
    minimum, maximum, step = parameters
    rest = (maximum - minimum) // step + 1
    counts: dict[int, int] = {}
    for slot, count in buckets:
        counts[min(slot, rest)] = counts.get(min(slot, rest), 0) + count
    return _rows(
        tuple(counts.items()),
        label=lambda slot: lhist_label(slot, minimum=minimum, maximum=maximum, step=step),
        divisor=divisor,
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
    steps = (maximum - minimum) // step
    low = minimum + min(slot - 1, steps) * step
    return (low, None) if slot > steps else (low, low + step)


def hist_label(slot: int, *, bits: int) -> str:
    low, high = hist_range(slot, bits=bits)
    if low is None:
        return "(..., 0)"
    if high == low + 1:
        return f"[{_log_edge(slot - 1, bits)}]"
    return f"[{_log_edge(slot - 1, bits)}, {_log_edge(slot, bits)})"


def lhist_label(slot: int, *, minimum: int, maximum: int, step: int) -> str:
    low, high = lhist_range(slot, minimum=minimum, maximum=maximum, step=step)
    if low is None:
        return f"(..., {_linear_edge(minimum, step)})"
    if high is None:
        return f"[{_linear_edge(low, step)}, ...)"
    if high == low + 1:
        return f"[{low}]"
    return f"[{_linear_edge(low, step)}, {_linear_edge(high, step)})"


def _log_edge(index: int, bits: int) -> str:
    """Where the `index`-th slot from zero on starts: `4K` when it is a multiple of 1024 that the slots double to."""
    exact = 1 << bits
    if index < exact:
        return str(index)
    decade, power = divmod((index >> bits) - 1, 10)
    return f"{(exact + (index & (exact - 1))) << power}{_SUFFIXES[decade]}"


def _linear_edge(number: int, step: int) -> str:
    """Suffixes only where every edge has one; otherwise rows of one histogram would be spelled in two ways."""
    for size, suffix in ((1 << 20, "M"), (1 << 10, "K")):
        if number and step % size == 0 and number % size == 0:
            return f"{number // size}{suffix}"
    return str(number)


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
