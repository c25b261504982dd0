"""Histograms as people read them: bucket counts in, labelled rows out, in bpftrace's exact text and JSON."""

from __future__ import annotations

from dataclasses import dataclass

from tracelang.types import AggregateType, Aggregation

_WIDTH = 52
_SUFFIXES = ("", "K", "M", "G", "T", "P", "E")


@dataclass(frozen=True, slots=True)
class Row:
    """One bucket; minimum None: from minus infinity; maximum None: without an upper end. Both are included."""

    label: str
    minimum: int | None
    maximum: int | None
    count: int


def histogram_rows(type_: AggregateType, counts: list[int]) -> list[Row]:
    """From the first to the last bucket that holds something."""
    rows = log_rows(type_.parameters[0], counts) if type_.kind is Aggregation.HIST else linear_rows(type_, counts)
    filled = [index for index, row in enumerate(rows) if row.count]
    return rows[filled[0] : filled[-1] + 1] if filled else []


def log_rows(bits: int, counts: list[int]) -> list[Row]:
    """Of hist(x, bits): negatives, then 2^bits buckets for each power of two."""
    return [_log_row(index, bits, count) for index, count in enumerate(counts)]


def linear_rows(type_: AggregateType, counts: list[int]) -> list[Row]:
    """Of lhist(x, min, max, step): below, the whole steps, and the rest.

    A last step that would reach beyond `max` belongs to the rest, as upstream counts it.
    """
    minimum, maximum, step = type_.parameters
    steps = (maximum - minimum) // step
    end = minimum + steps * step
    rows = [Row(f"(..., {_linear_label(minimum, step)})", None, minimum - 1, counts[0])]
    for index in range(steps):
        low = minimum + index * step
        high = low + step
        label = f"[{low}]" if step == 1 else f"[{_linear_label(low, step)}, {_linear_label(high, step)})"
        rows.append(Row(label, low, high - 1, counts[1 + index]))
    rows.append(Row(f"[{_linear_label(end, step)}, ...)", end, None, sum(counts[1 + steps :])))
    return rows


def histogram_text(rows: list[Row], *, divisor: int = 1) -> str:
    """The picture: one line for each row."""
    shown = [_divided(row.count, divisor) for row in rows]
    most = max(shown, default=0) or 1
    lines = []
    for row, count in zip(rows, shown, strict=True):
        bar = "@" * (count * _WIDTH // most)
        lines.append(f"{row.label:<16} {count:>7} |{bar:<{_WIDTH}}|\n")
    return "".join(lines)


def histogram_json(rows: list[Row], *, divisor: int = 1) -> str:
    items = []
    for row in rows:
        low = "" if row.minimum is None else f'"min": {row.minimum}, '
        high = "" if row.maximum is None else f'"max": {row.maximum}, '
        items.append(f'{{{low}{high}"count": {_divided(row.count, divisor)}}}')
    return f"[{','.join(items)}]"


def _divided(count: int, divisor: int) -> int:
    return count // divisor if divisor > 1 else count


def _log_row(index: int, bits: int, count: int) -> Row:
    if index == 0:
        return Row("(..., 0)", None, -1, count)
    number = index - 1
    low, high = _log_start(number, bits), _log_start(number + 1, bits)
    if high - low == 1:
        return Row(f"[{_log_label(number, bits)}]", low, low, count)
    return Row(f"[{_log_label(number, bits)}, {_log_label(number + 1, bits)})", low, high - 1, count)


def _log_start(number: int, bits: int) -> int:
    """The smallest value of the `number`-th bucket from zero on."""
    each = 1 << bits
    if number < each:
        return number
    return (each + (number & (each - 1))) << ((number >> bits) - 1)


def _log_label(number: int, bits: int) -> str:
    """A power of 1024 as its letter; where the bucket's start isn't a round number of it, the plain number."""
    each = 1 << bits
    if number < each:
        return str(number)
    decade, power = divmod((number >> bits) - 1, 10)
    return f"{(each + (number & (each - 1))) << power}{_SUFFIXES[decade]}"


def _linear_label(number: int, step: int) -> str:
    for size, suffix in ((1 << 20, "M"), (1 << 10, "K")):
        if number and step % size == 0 and number % size == 0:
            return f"{number // size}{suffix}"
    return str(number)
