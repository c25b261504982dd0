"""The one-line accounts at a job's end."""

from __future__ import annotations

import msgspec

from kubectl_trace.printers.summary import cost_line, loss_line
from tracejob_api.records import Losses, ProbeLosses
from tracejob_api.status import NodeCost


def test_nothing_lost_is_nothing_said() -> None:
    assert loss_line(Losses()) == ""


def test_each_kind_of_loss_has_its_words() -> None:
    said = loss_line(Losses(ring_buffer=5, transport=2, probes=(ProbeLosses("a", ring_buffer=5),)))
    assert said == "lost: 5 events didn't fit the ring buffer, 2 records never reached the operator"


def test_of_several_probes_each_is_named() -> None:
    probes = (ProbeLosses("tracepoint:a:b", ring_buffer=5), ProbeLosses("tracepoint:c:d", map_full=1))
    said = loss_line(Losses(ring_buffer=5, map_full=1, probes=probes))
    assert said.endswith("(tracepoint:a:b: 5, tracepoint:c:d: 1)")


def test_the_cost_names_what_neighbours_paid_and_only_then() -> None:
    cost = NodeCost(hits=7, cpu_seconds=0.5, max_cpu_percent=1.0, max_memory_bytes=25 << 20)
    line = "cost: 7 probe hits, 0.50 s of CPU (at most 1.0 % of one), 25 MiB of memory"
    assert cost_line(cost) == line
    told = msgspec.structs.replace(cost, neighbour_hits=2000, neighbour_seconds=0.024)
    assert cost_line(told) == f"{line}; neighbours: 2000 hits took them 0.02 s"
