"""`-o text` on a terminal: under what the program prints, the maps as they are now, redrawn in place, and progress.

Comes in: what every view is told. Goes out: the same text as `TextView` prints, and on stderr a region that is gone
once the job has ended. Only for a terminal: a pipe or a CI log never sees it.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from kubectl_trace.context import Context
from kubectl_trace.jobs import Job
from kubectl_trace.outcome import attached
from kubectl_trace.printers.text import TextView
from kubectl_trace.results import FullResult
from tracejob_api.escape import escape_line
from tracejob_api.quantities import parse_duration
from tracejob_api.status import TraceJobStatus
from tracejob_api.text import render_maps

_REDRAWN_PER_SECOND = 4
_LINES_KEPT_FREE = 3


class LiveView(TextView):
    """A TextView whose lines scroll by above the region."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._seen: Job | None = None
        self._since = time.monotonic()
        self._waits_for_its_end = ""
        colour = context.colour(context.err)
        self._console = Console(
            file=context.err, force_terminal=True, no_color=not colour, highlight=False, markup=False, emoji=False
        )
        self._live = Live(
            get_renderable=self._region, console=self._console, refresh_per_second=_REDRAWN_PER_SECOND, transient=True,
            redirect_stdout=False, redirect_stderr=False,
        )  # fmt: skip

    def job(self, job: Job) -> None:
        super().job(job)
        if self._seen is None or attached(self._seen.status) != attached(job.status):
            self._since = time.monotonic()
        self._seen = job
        if not self._live.is_started:
            self._live.start()

    def finished(self, job: Job, result: FullResult) -> None:
        self.close()
        super().finished(job, result)

    def notice(self, text: str) -> None:
        if self._live.is_started:
            self._console.print(Text(text), soft_wrap=True)
        else:
            super().notice(text)

    def close(self) -> None:
        """Take the region away; nothing that was printed is lost."""
        if self._live.is_started:
            self._live.stop()
        rest, self._waits_for_its_end = self._waits_for_its_end, ""
        super().write(rest)

    def write(self, text: str) -> None:
        """Whole lines go above the region; out is the same terminal when it is one, and else is no concern of it."""
        if not self._live.is_started or not self._context.out.isatty():
            super().write(text)
            return
        lines, newline, self._waits_for_its_end = (self._waits_for_its_end + text).rpartition("\n")
        if newline:
            self._console.print(Text(lines), soft_wrap=True)

    def _region(self) -> Group:
        if self._seen is None:
            return Group()
        status = self._seen.status
        maps = render_maps(status.results.maps, quote=escape_line).splitlines()
        shown = last_lines(maps, most=self._console.height - _LINES_KEPT_FREE)
        duration = parse_duration(str(self._seen.spec.get("duration") or "0s"))
        progress = progress_line(status, passed=time.monotonic() - self._since, duration=duration)
        return Group(*(Text(line, no_wrap=True, overflow="ellipsis") for line in (*shown, progress)))


def last_lines(lines: Sequence[str], *, most: int) -> list[str]:
    """The end of the text, where the largest values stand, in at most that many lines, with a word about the rest."""
    if len(lines) <= most:
        return list(lines)
    kept = max(1, most - 1)
    return [f"... {len(lines) - kept} more lines above", *lines[-kept:]]


def progress_line(status: TraceJobStatus, *, passed: float, duration: float) -> str:
    """What is going on and for how long; passed: seconds since attached, or since the job was first seen."""
    if not attached(status):
        phase = status.phase.value.lower() if status.phase else "waiting for the operator"
        return f"{phase}, {passed:.0f} s (Ctrl-C stops it)"
    lost = status.summary.lost
    parts = [f"{passed:.0f} s of {duration:.0f}" if duration else f"{passed:.0f} s"]
    parts.append(f"{status.targets.running} of {status.targets.desired} targets")
    if status.summary.events:
        parts.append(f"{status.summary.events} events, {status.summary.events / max(passed, 1):.0f} a second")
    parts.append(f"{lost} LOST" if lost else "nothing lost")
    return f"[{' | '.join(parts)}] Ctrl-C ends it and keeps the result"
