"""The account of a job: what its agents lost and what they cost, added up over the nodes. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from tracejob_api.records import PROBE_LOSSES, Losses, ProbeCost, ProbeLosses
from tracejob_api.status import NodeCost
from tracejob_operator.picture import Agent

PROBES_SHOWN = 20
"""Probes that are told apart; all of them are in the sums."""

_SUMS = (*PROBE_LOSSES, "truncated")


def total_losses(agents: Iterable[Agent]) -> Losses:
    """What an agent lost before it wrote, and what it wrote and the operator never got."""
    total: Counter[str] = Counter()
    probes: dict[str, Counter[str]] = {}
    for agent in agents:
        losses = agent.log.losses
        total.update({name: getattr(losses, name) for name in _SUMS})
        total["transport"] += losses.transport + agent.log.missed
        for lost in losses.probes:
            numbers = {name: getattr(lost, name) for name in PROBE_LOSSES}
            probes.setdefault(lost.probe, Counter()).update(numbers)
    by_probe = [ProbeLosses(probe, **numbers) for probe, numbers in probes.items()]
    worst = sorted(by_probe, key=lambda lost: -lost.total())
    return Losses(**total, probes=tuple(worst[:PROBES_SHOWN]))


def total_cost(agents: Iterable[Agent]) -> NodeCost:
    costs = [agent.log.cost for agent in agents]
    probes: dict[str, ProbeCost] = {}
    for cost in costs:
        for probe in cost.probes:
            before = probes.get(probe.probe, ProbeCost(probe.probe))
            hits = before.hits + probe.hits
            time = before.hits * before.ns_per_hit + probe.hits * probe.ns_per_hit
            probes[probe.probe] = ProbeCost(probe.probe, hits=hits, ns_per_hit=round(time / hits) if hits else 0)
    return NodeCost(
        hits=sum(cost.hits for cost in costs),
        probes=tuple(probes.values())[:PROBES_SHOWN],
        cpu_seconds=round(sum(cost.cpu_seconds for cost in costs), 3),
        probe_cpu_seconds=round(sum(cost.probe_cpu_seconds for cost in costs), 3),
        max_cpu_percent=max((cost.cpu_percent for cost in costs), default=0.0),
        max_memory_bytes=max((cost.memory_bytes for cost in costs), default=0),
        kernel_bytes=sum(cost.kernel_bytes for cost in costs),
        neighbour_hits=sum(cost.neighbour_hits for cost in costs),
        neighbour_seconds=round(sum(cost.neighbour_seconds for cost in costs), 3),
    )
