"""What a printer of a running job is told, whatever its form."""

from __future__ import annotations

from typing import Protocol

from kubectl_trace.context import Context
from kubectl_trace.jobs import Job
from kubectl_trace.results import FullResult
from tracejob_api.records import AnyRecord


class View(Protocol):
    """A sink for one followed job. Agents are told apart by their node."""

    def record(self, node: str, record: AnyRecord, line: bytes) -> None:
        """A record of an agent's log (only for who may read it)."""
        ...

    def printed(self, *, node: str, pod: str, seq: int, text: str) -> None:
        """Something that the program printed, from whichever source; each once, in the order of its agent."""
        ...

    def job(self, job: Job) -> None:
        """A new version of the job."""
        ...

    def finished(self, job: Job, result: FullResult) -> None:
        """The end: the merged result."""
        ...

    def notice(self, text: str) -> None:
        """A line about what is going on; never part of the result."""
        ...

    def close(self) -> None:
        """Nothing comes after this, whether there was an end or not."""
        ...


class ViewBase:
    """What views of a command's streams share."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def notice(self, text: str) -> None:
        self._context.notice(text)

    def close(self) -> None:
        """Nothing to put away."""
