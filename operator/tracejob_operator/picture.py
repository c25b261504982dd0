"""What the operator knows about one job at one moment: the input of every decision, and nothing else is.

Gathered by `job`, judged by `reconcile`, told by `status` and `results`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from tracejob_api.labels import CLUSTER_KIND, TRACEJOB_KIND
from tracejob_api.quantities import parse_duration
from tracejob_api.records import ProgramDiagnostic
from tracejob_api.request import AgentRequest, PodTarget
from tracejob_api.spec import ClusterTraceJobSpec, TraceJobSpec
from tracejob_api.status import ResultRef, TraceJobStatus
from tracejob_operator.agent_log import AgentLog
from tracejob_operator.agents import Verdict
from tracejob_operator.target import Problem


@dataclass(frozen=True, slots=True)
class Job:
    """A TraceJob or ClusterTraceJob."""

    name: str
    namespace: str  # empty for a ClusterTraceJob
    uid: str
    generation: int
    created: datetime
    spec: TraceJobSpec | ClusterTraceJobSpec
    status: TraceJobStatus

    @property
    def cluster(self) -> bool:
        return isinstance(self.spec, ClusterTraceJobSpec)

    @property
    def kind(self) -> str:
        return CLUSTER_KIND if self.cluster else TRACEJOB_KIND

    @property
    def target_namespace(self) -> str:
        """Where the target's pods are; empty for nodes."""
        if isinstance(self.spec, ClusterTraceJobSpec):
            return self.spec.target.namespace or ""
        return self.namespace

    @property
    def duration(self) -> float:
        return parse_duration(self.spec.duration)

    @property
    def start_timeout(self) -> float:
        return parse_duration(self.spec.start_timeout)

    @property
    def interval(self) -> float:
        return parse_duration(self.spec.interval)

    @property
    def follows_new_pods(self) -> bool:
        """By default, only a job about one named pod doesn't."""
        if self.spec.follow_new_pods is not None:
            return self.spec.follow_new_pods
        return self.spec.target.name is None or self.spec.target.kind.value != "Pod"


@dataclass(frozen=True, slots=True)
class Agent:
    """One node's agent. request: what its pod was asked last."""

    node: str
    request: AgentRequest
    verdict: Verdict
    log: AgentLog
    created: datetime
    attached: datetime | None = None
    exists: bool = True  # the pod is there
    stop_sent: datetime | None = None
    cut_short: bool = False  # its deadline was lowered


@dataclass(frozen=True, slots=True)
class Picture:
    """The job, what it is about now, and its agents by node.

    targets: pods by node that should be traced now; a node of a job over nodes has none. None: not resolved yet.
    known: the same of all the time, for the rows in status.
    problem: why the job can't go on. refs: the ConfigMaps written so far.
    """

    job: Job
    now: datetime
    targets: Mapping[str, tuple[PodTarget, ...]] | None = None
    known: Mapping[str, tuple[PodTarget, ...]] = field(default_factory=dict)
    problem: Problem | None = None
    diagnostics: tuple[ProgramDiagnostic, ...] = ()
    agents: Mapping[str, Agent] = field(default_factory=dict)
    refs: tuple[ResultRef, ...] = ()

    def finished(self) -> bool:
        """Whether nothing can change any more: a problem and no agents, or every agent has ended."""
        if self.problem is not None:
            return all(agent.verdict.state.ended for agent in self.agents.values())
        return bool(self.agents) and all(agent.verdict.state.ended for agent in self.agents.values())
