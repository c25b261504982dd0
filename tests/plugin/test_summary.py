"""The one-line accounts at a job's end."""

from __future__ import annotations

from kubectl_trace.printers.summary import loss_line
from tracejob_api.records import Losses, ProbeLosses


def test_nothing_lost_is_nothing_said() -> None:
    assert loss_line(Losses()) == ""


def test_each_kind_of_loss_has_its_words() -> None:
    said = loss_line(Losses(ring_buffer=5, transport=2, probes=(ProbeLosses("a", ring_buffer=5),)))
    assert said == "lost: 5 events didn't fit the ring buffer, 2 records never reached the operator"


def test_of_several_probes_each_is_named() -> None:
    probes = (ProbeLosses("tracepoint:a:b", ring_buffer=5), ProbeLosses("tracepoint:c:d", map_full=1))
    said = loss_line(Losses(ring_buffer=5, map_full=1, probes=probes))
    assert said.endswith("(tracepoint:a:b: 5, tracepoint:c:d: 1)")
