"""Time series as text and JSON."""

from __future__ import annotations

from tracejob_agent.output.names import Names, format_time
from tracejob_agent.output.show import json_text
from tracejob_agent.output.tseries import TimeSeries

_WIDTH = 52
_TIME_FORMATS = ((1_000_000_000, "hh:mm:ss", 0), (1_000_000, "hh:mm:ss.ms", 3), (1_000, "hh:mm:ss.us", 6))


def time_series_text(series: TimeSeries, names: Names) -> str:
    """A picture with time going down and values going right."""
    values = [value for _, value in series.points]
    low, high = min(values), max(values)
    if low == high:
        low, high = low - 1, high + 1
    heading, stamps = _stamps(series, names)
    width = max(len(heading), *(len(stamp) for stamp in stamps))
    middle = (
        f"{low}{high:>{_WIDTH + 1 - len(str(low))}}" if len(str(low)) + len(str(high)) < _WIDTH else f"{low} {high}"
    )
    lines = [f"{' ' * (width + 1)}{middle}", f"{heading:<{width}} |{'_' * (_WIDTH - 1)}|"]
    for stamp, (_, value) in zip(stamps, series.points, strict=True):
        place = (value - low) * (_WIDTH - 2) // (high - low)
        lines.append(f"{stamp:<{width}} |{' ' * place}*{' ' * (_WIDTH - 2 - place)}| {value}")
    lines.append(f"{' ' * width} v{'_' * (_WIDTH - 1)}v")
    lines.append(f"{' ' * (width + 1)}{middle}")
    return "".join(f"{line}\n" for line in lines)


def time_series_json(series: TimeSeries, names: Names) -> str:
    points = []
    for epoch, value in series.points:
        start = _start(epoch, series, names)
        shown = f"{format_time('%Y-%m-%d %H:%M:%S', start)}.{start % 1_000_000_000:09d}"
        points.append(f'{{"interval_start":{json_text(shown)},"value":{value}}}')
    return f"[{','.join(points)}]"


def _stamps(series: TimeSeries, names: Names) -> tuple[str, list[str]]:
    starts = [_start(epoch, series, names) for epoch, _ in series.points]
    return "hh:mm:ss.ns", [f"{format_time('%H:%M:%S', start)}.{start % 1_000_000_000:09d}" for start in starts]


def _start(epoch: int, series: TimeSeries, names: Names) -> int:
    """An interval's start by the calendar; intervals count from boot, so that it is shown at a round place before."""
    return names.wall_clock("boot", epoch * series.interval) // series.interval * series.interval
