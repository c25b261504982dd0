"""What a person sees while a job runs: the region under the output, which leaves nothing behind."""

from __future__ import annotations

import io

import pytest

from kubectl_trace.context import Context
from kubectl_trace.printers.forms import view_for
from kubectl_trace.printers.live import LiveView, last_lines, progress_line
from kubectl_trace.printers.text import TextView
from tracejob_api.status import Condition, ConditionStatus, Phase, Summary, TargetCounts, TraceJobStatus

ATTACHED = (Condition("Attached", ConditionStatus.TRUE, "2026-01-01T00:00:00Z"),)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def context(*, err: io.StringIO, term: str = "xterm") -> Context:
    return Context(stdin=io.StringIO(), out=io.StringIO(), err=err, environment={"TERM": term})


def test_it_is_for_terminals_that_can_be_drawn_on() -> None:
    assert isinstance(view_for(context(err=Terminal()), form="text"), LiveView)
    assert type(view_for(context(err=io.StringIO()), form="text")) is TextView
    assert type(view_for(context(err=Terminal(), term="dumb"), form="text")) is TextView


@pytest.mark.parametrize(
    ("status", "line"),
    [
        (TraceJobStatus(), "waiting for the operator, 3 s (Ctrl-C stops it)"),
        (TraceJobStatus(phase=Phase.COMPILING), "compiling, 3 s (Ctrl-C stops it)"),
        (
            TraceJobStatus(
                phase=Phase.RUNNING,
                conditions=ATTACHED,
                targets=TargetCounts(desired=2, running=2),
                summary=Summary(events=30, lost=4),
            ),
            "[3 s of 60 | 2 of 2 targets | 30 events, 10 a second | 4 LOST] Ctrl-C ends it and keeps the result",
        ),
    ],
)
def test_the_progress_line_says_what_goes_on(status: TraceJobStatus, line: str) -> None:
    assert progress_line(status, passed=3.0, duration=60) == line


def test_a_low_terminal_shows_the_end_and_says_how_much_is_above() -> None:
    assert last_lines(["a", "b"], most=2) == ["a", "b"]
    assert last_lines(["a", "b", "c", "d"], most=3) == ["... 2 more lines above", "c", "d"]
