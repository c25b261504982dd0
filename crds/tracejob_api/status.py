"""What the operator says about a job: conditions first, everything else is derived or a digest.

The whole status stays below STATUS_LIMIT bytes whatever the number of nodes; what was left out is counted.
Integers beyond 64 bits signed are strings of digits here, because the API server keeps numbers as int64 or float64.
"""

from __future__ import annotations

from enum import Enum
from typing import Annotated

import msgspec
from msgspec import Meta

from tracejob_api.maps import MapSnapshot
from tracejob_api.records import Losses, ProbeCost, ProgramDiagnostic

STATUS_LIMIT = 64 * 1024
TARGET_STATUS_LIMIT = 100


class Phase(Enum):
    """A summary of the conditions, for people."""

    PENDING = "Pending"
    COMPILING = "Compiling"
    RUNNING = "Running"
    STOPPING = "Stopping"
    SUCCEEDED = "Succeeded"
    PARTIALLY_SUCCEEDED = "PartiallySucceeded"
    FAILED = "Failed"

    @property
    def finished(self) -> bool:
        return self in (Phase.SUCCEEDED, Phase.PARTIALLY_SUCCEEDED, Phase.FAILED)


class ConditionType(Enum):
    """Complete and Failed exclude each other, as in a batch/v1 Job."""

    ADMITTED = "Admitted"
    TARGETS_RESOLVED = "TargetsResolved"
    COMPILED = "Compiled"
    ATTACHED = "Attached"
    RESULTS_READY = "ResultsReady"
    COMPLETE = "Complete"
    FAILED = "Failed"


class ConditionStatus(Enum):
    TRUE = "True"
    FALSE = "False"
    UNKNOWN = "Unknown"


class Condition(msgspec.Struct, frozen=True, rename="camel"):
    """metav1.Condition."""

    type: str
    status: ConditionStatus
    last_transition_time: Annotated[str, Meta(extra_json_schema={"format": "date-time"})]
    reason: str = ""
    message: str = ""
    observed_generation: int = 0


class TargetCounts(msgspec.Struct, frozen=True, rename="camel"):
    """Targets by state; a target is a pod, or a node of a job over nodes."""

    desired: int = 0
    running: int = 0
    succeeded: int = 0
    failed: int = 0


class TargetState(Enum):
    PENDING = "Pending"
    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"


class TargetStatus(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """One row. id: the pod's UID, with "/container" where containers were named; the node's name for a node.

    events, lost: of the agent on that node (targets on one node share an agent).
    """

    id: str
    state: TargetState
    node: str = ""
    namespace: str = ""
    pod: str = ""
    container: str = ""
    reason: str = ""
    message: str = ""
    events: int = 0
    lost: int = 0


class OutputLine(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """What the program printed last, by agent. seq: the record's number in that agent's log."""

    node: str
    seq: int
    text: str
    pod: str = ""
    t: int = 0


class ResultRef(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """A ConfigMap that holds a part of the whole result."""

    namespace: str
    name: str
    uid: str = ""
    bytes: int = 0


class NodeCost(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """Sums over all nodes; memory and CPU share are the highest of one node."""

    hits: int = 0
    probes: tuple[ProbeCost, ...] = ()
    cpu_seconds: float = 0.0
    probe_cpu_seconds: float = 0.0
    max_cpu_percent: float = 0.0
    max_memory_bytes: int = 0
    kernel_bytes: int = 0
    neighbour_hits: int = 0
    neighbour_seconds: float = 0.0


class Results(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """maps: merged over all nodes, keys left out are in each map's `omitted`; maps_omitted: whole maps left out."""

    maps: tuple[MapSnapshot, ...] = ()
    maps_omitted: int = 0
    output: tuple[OutputLine, ...] = ()
    output_omitted: int = 0
    refs: tuple[ResultRef, ...] = ()
    cost: NodeCost = NodeCost()


class Summary(msgspec.Struct, frozen=True, rename="camel"):
    """What `kubectl get` shows. events: printed; hits: how often probes ran, known in the end."""

    targets: str = ""  # "attached or ended / desired"
    target: str = ""
    program: str = ""
    nodes: int = 0
    events: int = 0
    hits: int = 0
    lost: int = 0
    reason: str = ""


class TraceJobStatus(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """The status of both kinds."""

    observed_generation: int = 0
    phase: Phase | None = None
    start_time: Annotated[str, Meta(extra_json_schema={"format": "date-time"})] | None = None
    completion_time: Annotated[str, Meta(extra_json_schema={"format": "date-time"})] | None = None
    conditions: Annotated[
        tuple[Condition, ...],
        Meta(extra_json_schema={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]}),
    ] = ()
    targets: TargetCounts = TargetCounts()
    target_statuses: Annotated[
        tuple[TargetStatus, ...],
        Meta(extra_json_schema={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["id"]}),
    ] = ()
    target_statuses_omitted: int = 0
    results: Results = Results()
    losses: Losses = Losses()
    diagnostics: tuple[ProgramDiagnostic, ...] = ()
    summary: Summary = Summary()
