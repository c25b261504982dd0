"""Objects for the operator's tests, with everything that a test isn't about filled in."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from tracejob_api.maps import MapSnapshot
from tracejob_api.records import (
    AnyRecord,
    Attached,
    DiagnosticsRecord,
    EndReason,
    Failure,
    Losses,
    Maps,
    Output,
    ProgramDiagnostic,
    Result,
    encode_record,
)
from tracejob_api.request import AgentRequest, JobRef, PodTarget, ProgramText
from tracejob_api.spec import ClusterTraceJobSpec, Program, Target, TraceJobSpec
from tracejob_api.status import TraceJobStatus
from tracejob_operator.agent_log import AgentLog
from tracejob_operator.agents import AgentState, Verdict
from tracejob_operator.kube import (
    ContainerState,
    ContainerStatus,
    Metadata,
    NamedContainer,
    OwnerReference,
    Pod,
    PodSpec,
    PodStatus,
    Running,
    Terminated,
    Waiting,
)
from tracejob_operator.picture import Agent, Job, Picture
from tracejob_operator.target import Problem

NOW = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
RUNNING = ContainerState(running=Running())


def waiting(reason: str, message: str = "") -> ContainerState:
    return ContainerState(waiting=Waiting(reason=reason, message=message))


def terminated(code: int, *, message: str = "", reason: str = "Error") -> ContainerState:
    return ContainerState(terminated=Terminated(exit_code=code, message=message, reason=reason))


def pod(
    name: str = "web",
    *,
    node: str = "n1",
    phase: str = "Running",
    containers: Mapping[str, ContainerState] | None = None,
    init: Mapping[str, ContainerState] | None = None,
    owner: OwnerReference | None = None,
    deleted: bool = False,
    reason: str = "",
) -> Pod:
    """A pod whose containers are in the given states (by default, one that runs)."""
    containers = {"main": RUNNING} if containers is None else containers
    init = init or {}

    def statuses(states: Mapping[str, ContainerState]) -> tuple[ContainerStatus, ...]:
        return tuple(
            ContainerStatus(name=item, container_id=f"containerd://{name}-{item}", state=state)
            for item, state in states.items()
        )

    return Pod(
        metadata=Metadata(
            name=name,
            uid=f"uid-{name}",
            namespace="shop",
            owner_references=() if owner is None else (owner,),
            deletion_timestamp=NOW if deleted else None,
        ),
        spec=PodSpec(
            node_name=node,
            containers=tuple(NamedContainer(item) for item in containers),
            init_containers=tuple(NamedContainer(item) for item in init),
        ),
        status=PodStatus(
            phase=phase,
            reason=reason,
            qos_class="Burstable",
            container_statuses=statuses(containers),
            init_container_statuses=statuses(init),
        ),
    )


def target(name: str = "web") -> PodTarget:
    return PodTarget(uid=f"uid-{name}", name=name, namespace="shop")


def job(
    spec: TraceJobSpec | ClusterTraceJobSpec | None = None, *, status: TraceJobStatus | None = None, name: str = "job"
) -> Job:
    default = TraceJobSpec(target=Target(name="web"), program=Program(inline="begin { }"))
    return Job(
        name=name,
        namespace="" if isinstance(spec, ClusterTraceJobSpec) else "shop",
        uid="job-uid",
        generation=1,
        created=NOW,
        spec=spec or default,
        status=status or TraceJobStatus(),
    )


def request(node: str = "n1", *, pods: tuple[PodTarget, ...] = (), stop: bool = False) -> AgentRequest:
    return AgentRequest(
        id=f"job-uid/{node}",
        job=JobRef(name="job", uid="job-uid", namespace="shop"),
        node=node,
        program=ProgramText(text="begin { }"),
        duration=60.0,
        start_timeout=120.0,
        interval=5.0,
        targets=pods or (target(),),
        stop=stop,
    )


def log(*records: AnyRecord, ended: bool = False) -> AgentLog:
    """What an agent said."""
    found = AgentLog()
    for record in records:
        found.feed(encode_record(record))
    found.ended = ended
    return found


def attached(seq: int = 0) -> Attached:
    return Attached(t=int(NOW.timestamp() * 1e9), seq=seq, v=1)


def maps_record(*maps: MapSnapshot, seq: int = 1, losses: Losses | None = None) -> Maps:
    return Maps(t=1, seq=seq, v=1, maps=maps, losses=losses or Losses())


def output(text: str, *, seq: int, t: int = 1) -> Output:
    return Output(t=t, seq=seq, v=1, kind="printf", text=text)


def result(
    *maps: MapSnapshot, seq: int = 1, reason: EndReason = EndReason.DURATION, failure: Failure | None = None
) -> Result:
    return Result(t=1, seq=seq, v=1, reason=reason, failure=failure, maps=maps)


def diagnostics(message: str, *, seq: int = 0) -> DiagnosticsRecord:
    return DiagnosticsRecord(t=1, seq=seq, v=1, items=(ProgramDiagnostic(message=message, line=1, column=2),))


def agent(
    node: str = "n1",
    state: AgentState = AgentState.ATTACHED,
    *,
    reason: str = "",
    message: str = "",
    said: AgentLog | None = None,
    pods: tuple[PodTarget, ...] = (),
    stop: bool = False,
    stop_seconds_ago: float | None = None,
    attached_seconds_ago: float | None = None,
    exists: bool = True,
) -> Agent:
    if said is None:
        said = AgentLog() if state in (AgentState.PENDING, AgentState.STARTING) else log(attached())
    return Agent(
        node=node,
        request=request(node, pods=pods, stop=stop),
        verdict=Verdict(state, reason, message),
        log=said,
        created=NOW - timedelta(seconds=60),
        attached=None if attached_seconds_ago is None else NOW - timedelta(seconds=attached_seconds_ago),
        exists=exists,
        stop_sent=None if stop_seconds_ago is None else NOW - timedelta(seconds=stop_seconds_ago),
    )


def picture(
    *agents: Agent,
    targets: Mapping[str, tuple[PodTarget, ...]] | None = None,
    known: Mapping[str, tuple[PodTarget, ...]] | None = None,
    about: Job | None = None,
    problem: Problem | None = None,
) -> Picture:
    """By default, every agent's pods are there."""
    if targets is None:
        targets = {item.node: item.request.targets for item in agents}
    return Picture(
        job=about or job(),
        now=NOW,
        targets=targets,
        known=targets if known is None else known,
        problem=problem,
        agents={item.node: item for item in agents},
    )
