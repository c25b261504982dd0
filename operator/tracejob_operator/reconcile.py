"""What to do next for a job: from its picture to actions. Pure and idempotent: done twice, it says nothing new."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec

from tracejob_api.quantities import parse_quantity
from tracejob_api.reasons import Reason
from tracejob_api.request import AgentLimits, AgentRequest, JobRef, PodTarget, ProcessFilter, ProgramText
from tracejob_api.spec import ClusterTargetKind, ClusterTraceJobSpec, LimitsSpec, ProcessSelector
from tracejob_operator.agents import AgentState
from tracejob_operator.picture import Agent, Job, Picture
from tracejob_operator.target import Resolution, kind_of

STOP_GRACE = timedelta(seconds=10)
"""How long an agent that was asked to stop may take before its pod's deadline is lowered."""

OVERRUN = timedelta(seconds=15)
"""How long after its duration an agent is asked to stop: it ends by itself, this is for one that doesn't."""


@dataclass(frozen=True, slots=True)
class CreateAgent:
    request: AgentRequest


@dataclass(frozen=True, slots=True)
class UpdateAgent:
    """Hand a running agent new targets, or tell it to stop."""

    node: str
    request: AgentRequest


@dataclass(frozen=True, slots=True)
class CutShort:
    """Lower the pod's deadline: its agent doesn't listen."""

    node: str


@dataclass(frozen=True, slots=True)
class RemoveAgent:
    """Delete the pod of an agent that never got to trace. reason, message: what its targets failed with."""

    node: str
    reason: str
    message: str


Action = CreateAgent | UpdateAgent | CutShort | RemoveAgent


def decide(picture: Picture) -> list[Action]:
    """The actions that bring the job on, in the order of nodes."""
    if picture.targets is None:
        return []
    if picture.finished():
        return [action for node, agent in sorted(picture.agents.items()) for action in _for_ended(node, agent)]
    stopping = picture.job.spec.stop or picture.problem is not None
    actions: list[Action] = []
    for node, agent in sorted(picture.agents.items()):
        actions.extend(_for_agent(picture, node, agent, stopping=stopping))
    if not stopping and _may_start(picture):
        actions.extend(
            CreateAgent(new_request(picture, node, pods))
            for node, pods in sorted(picture.targets.items())
            if node not in picture.agents
        )
    return actions


def new_request(picture: Picture, node: str, pods: tuple[PodTarget, ...]) -> AgentRequest:
    """What a new agent is asked; one that comes later gets the time that is left."""
    job = picture.job
    spec = job.spec
    end = _end(picture)
    return AgentRequest(
        id=f"{job.uid}/{node}",
        job=JobRef(name=job.name, uid=job.uid, namespace=job.namespace, kind=job.kind),
        node=node,
        program=ProgramText(text=spec.program.inline or "", args=spec.program.args),
        duration=job.duration if end is None else max((end - picture.now).total_seconds(), 0.001),
        start_timeout=job.start_timeout,
        interval=job.interval,
        limits=_limits(spec.limits),
        targets=pods,
        process=_process(spec.target.process),
        host=kind_of(spec.target) is ClusterTargetKind.NODE,
        unsafe=isinstance(spec, ClusterTraceJobSpec) and spec.unsafe,
    )


def traced_pods(
    job: Job, resolution: Resolution, *, known: Mapping[str, Mapping[str, PodTarget]]
) -> dict[str, tuple[PodTarget, ...]]:
    """Pods by node that should be traced now. known: by node and UID, those that the job has traced so far.

    A job that doesn't follow new pods keeps to those it began with. A pod whose containers are being restarted stays.
    """
    begun = {uid for pods in known.values() for uid in pods}
    found: dict[str, list[PodTarget]] = {}
    for node, pods in resolution.pods.items():
        wanted = [pod for pod in pods if job.follows_new_pods or not begun or pod.uid in begun]
        if wanted:
            found[node] = wanted
    for node, old in known.items():
        for uid, pod in old.items():
            if uid in resolution.paused:
                found.setdefault(node, []).append(pod)
    return {node: tuple(sorted(pods, key=lambda pod: pod.name)) for node, pods in sorted(found.items())}


def _for_agent(picture: Picture, node: str, agent: Agent, *, stopping: bool) -> Iterator[Action]:
    if agent.verdict.state.ended:
        yield from _for_ended(node, agent)
        return
    pods = (picture.targets or {}).get(node)
    gone = pods is None and not agent.request.host and not picture.job.follows_new_pods
    if stopping or gone or _overran(picture, agent):
        yield from _stop(picture, node, agent)
    elif pods is not None and pods != agent.request.targets:
        yield UpdateAgent(node, msgspec.structs.replace(agent.request, targets=pods))


def _for_ended(node: str, agent: Agent) -> Iterator[Action]:
    """One whose image can't be had, or that wasn't attached in time: its place on the node isn't kept for that."""
    never_ran = agent.log.attached is None and agent.log.result is None and not agent.log.ended
    if agent.verdict.state is AgentState.FAILED and agent.exists and never_ran:
        yield RemoveAgent(node, agent.verdict.reason, agent.verdict.message)


def _stop(picture: Picture, node: str, agent: Agent) -> Iterator[Action]:
    if agent.verdict.state is AgentState.PENDING:
        yield RemoveAgent(node, Reason.STOPPED.value, "stopped before it was attached")
    elif not agent.request.stop:
        yield UpdateAgent(node, msgspec.structs.replace(agent.request, stop=True))
    elif agent.stop_sent is not None and not agent.cut_short and picture.now - agent.stop_sent >= STOP_GRACE:
        yield CutShort(node)


def _may_start(picture: Picture) -> bool:
    """New agents: at the beginning, and later for pods that appear while there is time left."""
    if not picture.agents:
        return True
    end = _end(picture)
    return picture.job.follows_new_pods and (end is None or end - picture.now > timedelta(seconds=1))


def _end(picture: Picture) -> datetime | None:
    """When the job's time is over, counted from the first agent that was attached."""
    attached = [agent.attached for agent in picture.agents.values() if agent.attached is not None]
    return min(attached) + timedelta(seconds=picture.job.duration) if attached else None


def _overran(picture: Picture, agent: Agent) -> bool:
    if agent.attached is None:
        return False
    return picture.now > agent.attached + timedelta(seconds=agent.request.duration) + OVERRUN


def _limits(limits: LimitsSpec) -> AgentLimits:
    return AgentLimits(
        events_per_second=limits.events_per_second,
        map_entries=limits.map_entries,
        output_bytes=parse_quantity(limits.output_bytes),
        cpu_percent=limits.cpu_percent or 0,
        kernel_memory=0 if limits.kernel_memory is None else parse_quantity(limits.kernel_memory),
    )


def _process(process: ProcessSelector | None) -> ProcessFilter:
    if process is None:
        return ProcessFilter()
    return ProcessFilter(pid=process.pid, comm=process.comm, exe=process.exe, cmdline=process.cmdline)
