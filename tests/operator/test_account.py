"""What the agents of a job lost and cost, added up."""

from __future__ import annotations

import job_builders as make
from tracejob_api.records import Losses, ProbeLosses
from tracejob_operator.account import PROBES_SHOWN, total_losses
from tracejob_operator.picture import Agent


def agent(name: str, losses: Losses, *, seq: int = 1) -> Agent:
    return make.agent(name, said=make.log(make.attached(), make.maps_record(losses=losses, seq=seq)))


def test_losses_of_the_same_probe_on_several_nodes_are_one_line() -> None:
    one = Losses(ring_buffer=3, missed=1, probes=(ProbeLosses("a", ring_buffer=3, missed=1),))
    two = Losses(ring_buffer=4, map_full=2, probes=(ProbeLosses("a", ring_buffer=4), ProbeLosses("b", map_full=2)))
    total = total_losses([agent("n1", one), agent("n2", two)])
    assert (total.ring_buffer, total.map_full, total.missed, total.total()) == (7, 2, 1, 10)
    assert total.probes == (ProbeLosses("a", ring_buffer=7, missed=1), ProbeLosses("b", map_full=2))


def test_records_that_never_came_are_lost_in_transport() -> None:
    total = total_losses([agent("n1", Losses(), seq=5)])
    assert (total.transport, total.total()) == (4, 4)


def test_of_many_probes_those_that_lost_most_are_told_apart() -> None:
    probes = tuple(ProbeLosses(f"p{number}", ring_buffer=number) for number in range(1, 41))
    total = total_losses([agent("n1", Losses(ring_buffer=820, probes=probes))])
    assert total.ring_buffer == 820
    assert [lost.ring_buffer for lost in total.probes] == list(range(40, 40 - PROBES_SHOWN, -1))
