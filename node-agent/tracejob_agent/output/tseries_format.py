"""Time series as text and JSON."""

from __future__ import annotations

from tracejob_agent.output.names import Names, format_time
from tracejob_agent.output.show import json_text
from tracejob_agent.output.tseries import TimeSeries

_WIDTH = 52  # columns from border to border
_PRECISIONS = ((1_000_000_000, "hh:mm:ss", 0), (1_000_000, "hh:mm:ss.ms", 3), (1_000, "hh:mm:ss.us", 6))


def time_series_text(series: TimeSeries, names: Names) -> str:
    """A picture with time going down and values going right; intervals without a value show none."""
    if series.newest is None:
        return "<no data>"
    values = dict(series.points)
    epochs = range(min(values, default=series.newest), series.newest + 1)
    low, high = _borders(values, signed=series.signed)
    heading, digits = _precision(series, rows=len(epochs))
    width = len(heading) if digits == 0 else len("hh:mm:ss.") + digits
    margin = " " * (width + 1)
    left, right = (str(low), str(high)) if values else ("null", "null")
    scale = f"{margin}{left}{right:>{_WIDTH + 1 - len(left)}}"
    lines = [scale, f"{heading:<{width}} |{'_' * (_WIDTH - 1)}|"]
    for epoch in epochs:
        value = values.get(epoch)
        bar = ["|", *" " * (_WIDTH - 1), "|"]
        if low < 0 < high:
            bar[-low * _WIDTH // (high - low)] = "."
        if value is not None:
            bar[(value - low) * _WIDTH // (high - low)] = "*"
        stamp = _stamp(_start(epoch, series, names), digits)
        lines.append(f"{stamp:<{width}} {''.join(bar)} {'-' if value is None else value}")
    lines += [f"{margin}v{'_' * (_WIDTH - 1)}v", scale]
    return "".join(f"{line}\n" for line in lines)


def _borders(values: dict[int, int], *, signed: bool) -> tuple[int, int]:
    """The values at the left and right; one value alone stands in the middle, but zero without a sign at the left."""
    low, high = min(values.values(), default=1), max(values.values(), default=1)
    if low != high:
        return low, high
    return (low - 1 if low or signed else 0), high + 1


def time_series_json(series: TimeSeries, names: Names) -> str:
    points = []
    for epoch, value in series.points:
        start = _start(epoch, series, names)
        shown = f"{format_time('%Y-%m-%d %H:%M:%S', start)}.{start % 1_000_000_000:09d}"
        points.append(f'{{"interval_start":{json_text(shown)},"value":{value}}}')
    return f"[{','.join(points)}]"


def _precision(series: TimeSeries, *, rows: int) -> tuple[str, int]:
    """The heading of the times and how many digits their fractions need; one row alone is shown in full."""
    if rows > 1:
        for unit, heading, digits in _PRECISIONS:
            if series.interval % unit == 0:
                return heading, digits
    return "hh:mm:ss.ns", 9


def _stamp(start: int, digits: int) -> str:
    clock = format_time("%H:%M:%S", start)
    return f"{clock}.{start % 1_000_000_000:09d}"[: len(clock) + 1 + digits] if digits else clock


def _start(epoch: int, series: TimeSeries, names: Names) -> int:
    """An interval's start by the calendar; intervals count from boot, so that it is shown at a round place before."""
    return names.wall_clock(names.series_clock, epoch * series.interval) // series.interval * series.interval
