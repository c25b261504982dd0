"""`-o text`: what bpftrace would print, each line of several agents marked with its origin, then the merged maps.

Results go to `out`; what a reader of results doesn't want goes to `err`.
"""

from __future__ import annotations

from kubectl_trace.context import Context
from kubectl_trace.jobs import Job
from kubectl_trace.outcome import attached
from kubectl_trace.printers.summary import cost_line, loss_line, targets_line
from kubectl_trace.printers.view import ViewBase
from kubectl_trace.results import FullResult
from tracejob_api.escape import escape, escape_line
from tracejob_api.records import AnyRecord, Attached
from tracejob_api.text import render_maps


class TextView(ViewBase):
    """Prints as things come in; a line of several agents that isn't complete waits for its end."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._marked = False
        self._resolved = False
        self._nodes = 0
        self._attached = False
        self._attached_on: set[str] = set()
        self._printed = False
        self._partial: dict[str, str] = {}

    def record(self, node: str, record: AnyRecord, line: bytes) -> None:
        """Output comes through `printed`. That an agent has attached is known from it before the status says so."""
        if isinstance(record, Attached):
            self._attached_on.add(node)
            if self._resolved and len(self._attached_on) >= self._nodes:
                self._say_attached()

    def printed(self, *, node: str, pod: str, seq: int, text: str) -> None:
        text = escape(text)
        self._printed = True
        if not self._marked:
            self.write(text)
            return
        origin = f"{pod}@{node}" if pod else f"@{node}"
        *whole, rest = (self._partial.pop(origin, "") + text).split("\n")
        for line in whole:
            self.write(f"{origin} {line}\n")
        if rest:
            self._partial[origin] = rest

    def job(self, job: Job) -> None:
        self._marked = self._marked or job.status.summary.nodes > 1
        self._nodes = job.status.summary.nodes
        if not self._resolved and job.status.targets.desired:
            self._resolved = True
            self.notice(escape(targets_line(job)))
        if attached(job.status):
            self._say_attached()

    def _say_attached(self) -> None:
        if not self._attached:
            self._attached = True
            self.notice("attached")

    def finished(self, job: Job, result: FullResult) -> None:
        self.end_lines()
        maps = render_maps(result.maps, quote=escape_line)
        if maps and self._printed:
            self.write("\n")
        self.write(maps)
        for line in (result.note, loss_line(result.losses), cost_line(result.cost)):
            if line:
                self.notice(escape(line))

    def end_lines(self) -> None:
        """Print what waits for the end of its line."""
        for origin, rest in self._partial.items():
            self.write(f"{origin} {rest}\n")
        self._partial.clear()

    def write(self, text: str) -> None:
        """To where results go."""
        self._context.out.write(text)
        self._context.out.flush()


class OutputView(TextView):
    """What the program printed, and nothing else (`logs`)."""

    def job(self, job: Job) -> None:
        self._marked = self._marked or job.status.summary.nodes > 1

    def finished(self, job: Job, result: FullResult) -> None:
        self.end_lines()
