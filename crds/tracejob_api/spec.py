"""What a user writes into a TraceJob or ClusterTraceJob. The CRDs' schemas are generated from these types.

Rules that CEL states stand beside the field they are about, so that the API server says no before the operator has to.
"""

from __future__ import annotations

from enum import Enum
from typing import Annotated

import msgspec
from msgspec import Meta

from tracejob_api.quantities import DURATION_PATTERN, QUANTITY_PATTERN

PROGRAM_LIMIT = 65536
"""Bytes of program text."""

_NAME_PATTERN = r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"
_DAY = "24h"


def _rules(*rules: tuple[str, str]) -> dict[str, object]:
    """CEL rules as (expression, message)."""
    return {"x-kubernetes-validations": [{"rule": rule, "message": message} for rule, message in rules]}


def _duration_rule(field: str, at_least: str) -> dict[str, object]:
    return _rules(
        (
            f"duration(self) >= duration('{at_least}') && duration(self) <= duration('{_DAY}')",
            f"{field} is from {at_least} to {_DAY}",
        )
    )


class TargetKind(Enum):
    """What a TraceJob's target may be: things of its own namespace."""

    POD = "Pod"
    DEPLOYMENT = "Deployment"
    STATEFUL_SET = "StatefulSet"
    DAEMON_SET = "DaemonSet"
    REPLICA_SET = "ReplicaSet"
    JOB = "Job"
    SERVICE = "Service"


class ClusterTargetKind(Enum):
    """What a ClusterTraceJob's target may be."""

    POD = "Pod"
    DEPLOYMENT = "Deployment"
    STATEFUL_SET = "StatefulSet"
    DAEMON_SET = "DaemonSet"
    REPLICA_SET = "ReplicaSet"
    JOB = "Job"
    SERVICE = "Service"
    NODE = "Node"


class SelectorOperator(Enum):
    IN = "In"
    NOT_IN = "NotIn"
    EXISTS = "Exists"
    DOES_NOT_EXIST = "DoesNotExist"


class SelectorRequirement(msgspec.Struct, frozen=True, rename="camel"):
    key: Annotated[str, Meta(max_length=317)]
    operator: SelectorOperator
    values: Annotated[tuple[Annotated[str, Meta(max_length=63)], ...], Meta(max_length=64)] = ()


class LabelSelector(msgspec.Struct, frozen=True, rename="camel"):
    """As everywhere in Kubernetes; an empty one selects all."""

    match_labels: Annotated[dict[str, Annotated[str, Meta(max_length=63)]], Meta(max_length=64)] = {}
    match_expressions: Annotated[tuple[SelectorRequirement, ...], Meta(max_length=64)] = ()


class ProcessSelector(msgspec.Struct, frozen=True, rename="camel"):
    """Narrows the target to some of its processes."""

    pid: (
        Annotated[
            int, Meta(ge=1, le=4194304, description="Process ID as the container sees it (node's own, for a node).")
        ]
        | None
    ) = None
    comm: Annotated[str, Meta(min_length=1, max_length=15, description="Name of the thread, exactly.")] | None = None
    exe: Annotated[str, Meta(min_length=1, max_length=4096, description="Path of the executable.")] | None = None
    cmdline: (
        Annotated[str, Meta(min_length=1, max_length=4096, description="Command line, a glob over its words.")] | None
    ) = None


class Target(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """What is traced."""

    kind: Annotated[TargetKind, Meta(description="What `name` is the name of.")] = TargetKind.POD
    name: (
        Annotated[
            str,
            Meta(min_length=1, max_length=253, pattern=_NAME_PATTERN, description="Name of the pod or workload."),
        ]
        | None
    ) = None
    selector: Annotated[LabelSelector, Meta(description="Labels of the pods, instead of a name.")] | None = None
    containers: Annotated[
        tuple[Annotated[str, Meta(min_length=1, max_length=63)], ...],
        Meta(
            max_length=32,
            description="Containers by name (init, sidecar and ephemeral ones count). None: all of the pod.",
            extra_json_schema={"x-kubernetes-list-type": "set"},
        ),
    ] = ()
    process: Annotated[ProcessSelector, Meta(description="Only these processes of the target.")] | None = None
    max_targets: Annotated[
        int, Meta(ge=1, le=1000, description="More pods (or nodes) than that: the job is refused with their number.")
    ] = 100


class ClusterTarget(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """What is traced; nodes as well, and pods of any namespace."""

    kind: Annotated[ClusterTargetKind, Meta(description="What `name` is the name of.")] = ClusterTargetKind.POD
    namespace: (
        Annotated[str, Meta(min_length=1, max_length=63, description="Namespace of the pods; not for nodes.")] | None
    ) = None
    name: (
        Annotated[
            str,
            Meta(min_length=1, max_length=253, pattern=_NAME_PATTERN, description="Name of the pod, workload or node."),
        ]
        | None
    ) = None
    selector: (
        Annotated[LabelSelector, Meta(description="Labels of the pods (or nodes; empty: all), instead of a name.")]
        | None
    ) = None
    containers: Annotated[
        tuple[Annotated[str, Meta(min_length=1, max_length=63)], ...],
        Meta(
            max_length=32,
            description="Containers by name (init, sidecar and ephemeral ones count). None: all of the pod.",
            extra_json_schema={"x-kubernetes-list-type": "set"},
        ),
    ] = ()
    process: Annotated[ProcessSelector, Meta(description="Only these processes of the target.")] | None = None
    max_targets: Annotated[
        int, Meta(ge=1, le=5000, description="More pods (or nodes) than that: the job is refused with their number.")
    ] = 100


class Program(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """What runs there."""

    inline: (
        Annotated[
            str,
            Meta(
                min_length=1,
                max_length=PROGRAM_LIMIT,
                description="Text in the bpftrace language, at most 64 KiB.",
                extra_json_schema=_rules((f"bytes(self).size() <= {PROGRAM_LIMIT}", "a program is at most 64 KiB")),
            ),
        ]
        | None
    ) = None
    tool: Annotated[str, Meta(min_length=1, max_length=63, description="Name of a built-in tool.")] | None = None
    args: Annotated[
        tuple[Annotated[str, Meta(max_length=4096)], ...],
        Meta(max_length=64, description="Positional parameters `$1`..., or the tool's flags."),
    ] = ()


class LimitsSpec(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """Bounds per node. What is over a limit is counted in status.losses."""

    events_per_second: Annotated[int, Meta(ge=0, le=10_000_000, description="Printed events. 0: no limit.")] = 10_000
    map_entries: Annotated[int, Meta(ge=1, le=1 << 22, description="Keys of each map.")] = 4096
    output_bytes: Annotated[
        int | str,
        Meta(description="Bytes of printed output.", extra_json_schema={"pattern": QUANTITY_PATTERN, "maxLength": 32}),
    ] = "10Mi"
    cpu_percent: (
        Annotated[
            int, Meta(ge=1, le=10_000, description="CPU of tracing, in percent of one CPU; over it, tracing ends.")
        ]
        | None
    ) = None
    kernel_memory: (
        Annotated[
            int | str,
            Meta(description="Bytes of the maps.", extra_json_schema={"pattern": QUANTITY_PATTERN, "maxLength": 32}),
        ]
        | None
    ) = None


class ResourceRequirements(msgspec.Struct, frozen=True, rename="camel"):
    """As in a container."""

    requests: Annotated[dict[str, Annotated[str, Meta(max_length=32)]], Meta(max_length=8)] = {}
    limits: Annotated[dict[str, Annotated[str, Meta(max_length=32)]], Meta(max_length=8)] = {}


class Toleration(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """As in a pod."""

    key: Annotated[str, Meta(max_length=317)] | None = None
    operator: Annotated[str, Meta(max_length=16)] | None = None
    value: Annotated[str, Meta(max_length=63)] | None = None
    effect: Annotated[str, Meta(max_length=32)] | None = None
    toleration_seconds: int | None = None


class AgentSpec(msgspec.Struct, frozen=True, rename="camel"):
    """The agent pods of this job, where they differ from the chart's values."""

    resources: Annotated[ResourceRequirements, Meta(description="Of the agent's container.")] | None = None
    tolerations: (
        Annotated[
            tuple[Toleration, ...], Meta(max_length=32, description="Instead of the chart's (which tolerate all).")
        ]
        | None
    ) = None


class ClusterAgentSpec(msgspec.Struct, frozen=True, rename="camel"):
    """The agent pods of this job, where they differ from the chart's values.

    Names of objects of the system namespace are for those who may create a ClusterTraceJob only.
    """

    resources: Annotated[ResourceRequirements, Meta(description="Of the agent's container.")] | None = None
    tolerations: (
        Annotated[
            tuple[Toleration, ...], Meta(max_length=32, description="Instead of the chart's (which tolerate all).")
        ]
        | None
    ) = None
    image_pull_secrets: (
        Annotated[
            tuple[Annotated[str, Meta(max_length=253)], ...],
            Meta(max_length=8, description="Names of secrets of the system namespace."),
        ]
        | None
    ) = None
    priority_class_name: Annotated[str, Meta(max_length=253, description="Of the agent pods.")] | None = None


_Duration = Annotated[
    str,
    Meta(
        max_length=32,
        pattern=DURATION_PATTERN,
        description="How long is traced, from each agent's `attached`.",
        extra_json_schema=_duration_rule("duration", "1ms"),
    ),
]
_StartTimeout = Annotated[
    str,
    Meta(
        max_length=32,
        pattern=DURATION_PATTERN,
        description="Time to be attached (image pull, scheduling, compiling); then that target failed.",
        extra_json_schema=_duration_rule("startTimeout", "1s"),
    ),
]
_Interval = Annotated[
    str,
    Meta(
        max_length=32,
        pattern=DURATION_PATTERN,
        description="How often maps come into status while running.",
        extra_json_schema=_duration_rule("interval", "500ms"),
    ),
]
_FollowNewPods = (
    Annotated[
        bool,
        Meta(description="Pods that appear while the job runs are traced too. Default: true unless a pod is named."),
    ]
    | None
)
_Assertions = Annotated[
    tuple[Annotated[str, Meta(min_length=1, max_length=1024)], ...],
    Meta(max_length=32, description="Expressions over the merged maps that decide Succeeded or Failed."),
]
_Stop = Annotated[bool, Meta(description="End early; results are kept.")]
_Ttl = (
    Annotated[
        int,
        Meta(
            ge=0, le=2_147_483_647, description="Seconds after the end until job and results are deleted. Unset: never."
        ),
    ]
    | None
)


class TraceJobSpec(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """What to trace, with what, for how long. Only `stop` and `ttlSecondsAfterFinished` may change later."""

    target: Target
    program: Program
    duration: _Duration = "60s"
    start_timeout: _StartTimeout = "2m"
    interval: _Interval = "5s"
    follow_new_pods: _FollowNewPods = None
    limits: Annotated[LimitsSpec, Meta(description="Bounds per node.")] = LimitsSpec()
    assertions: _Assertions = ()
    stop: _Stop = False
    ttl_seconds_after_finished: _Ttl = None
    agent: AgentSpec | None = None


class ClusterTraceJobSpec(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """As a TraceJob's, and nodes, other namespaces and `unsafe`. Only `stop` and the TTL may change later."""

    target: ClusterTarget
    program: Program
    duration: _Duration = "60s"
    start_timeout: _StartTimeout = "2m"
    interval: _Interval = "5s"
    follow_new_pods: _FollowNewPods = None
    limits: Annotated[LimitsSpec, Meta(description="Bounds per node.")] = LimitsSpec()
    assertions: _Assertions = ()
    unsafe: Annotated[bool, Meta(description="Allows system(), signal(), override() and writes to memory.")] = False
    stop: _Stop = False
    ttl_seconds_after_finished: _Ttl = None
    agent: ClusterAgentSpec | None = None


MUTABLE_FIELDS = frozenset({"stop", "ttlSecondsAfterFinished"})

STRUCT_RULES: dict[type[msgspec.Struct], tuple[tuple[str, str], ...]] = {
    Target: (
        ("has(self.name) != has(self.selector)", "name or selector: exactly one of them"),
        ("!has(self.selector) || self.kind == 'Pod'", "a selector is over pods: leave kind at Pod"),
    ),
    ClusterTarget: (
        ("has(self.name) != has(self.selector)", "name or selector: exactly one of them"),
        ("!has(self.selector) || self.kind in ['Pod', 'Node']", "a selector is over pods or nodes"),
        ("has(self.__namespace__) == (self.kind != 'Node')", "pods need a namespace, nodes have none"),
        (
            "self.kind != 'Node' || !has(self.containers) || size(self.containers) == 0",
            "a node's containers can't be chosen: name the pod",
        ),
    ),
    Program: (("has(self.inline) != has(self.tool)", "inline or tool: exactly one of them"),),
}
"""CEL rules over several fields of one struct: (expression, message)."""
