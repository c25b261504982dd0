"""What `run` was asked, as the object that it creates. Pure: options in, manifest out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import msgspec

from kubectl_trace.errors import UsageMistake
from kubectl_trace.resource_args import TargetArgument
from kubectl_trace.selectors import parse_selector
from tracejob_api.labels import API_VERSION, CLUSTER_KIND, TRACEJOB_KIND
from tracejob_api.quantities import format_duration

Json = dict[str, object]

LONGEST = 24 * 3600.0
_STEM_LENGTH = 200
_PROCESS_FIELDS = ("pid", "comm", "exe", "cmdline")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """`run`'s options as they were given; times in seconds."""

    target: TargetArgument
    program: str
    namespace: str
    name: str = ""
    arguments: tuple[str, ...] = ()
    containers: tuple[str, ...] = ()
    process: tuple[str, ...] = ()
    duration: float = 60.0  # 0: until stopped
    interval: float = 5.0
    start_timeout: float = 120.0
    ttl: float = 3600.0  # negative: never deleted
    max_targets: int = 100
    follow_new: bool | None = None
    unsafe: bool = False

    @property
    def cluster(self) -> bool:
        """Whether it takes a ClusterTraceJob: what reaches beyond one namespace's pods."""
        return self.target.cluster_scoped or self.unsafe


def job_manifest(options: RunOptions) -> Json:
    """The TraceJob or ClusterTraceJob; UsageMistake for what can be told without asking the cluster."""
    metadata: Json = {"name": options.name} if options.name else {"generateName": _stem(options.target) + "-"}
    if not options.cluster:
        metadata["namespace"] = options.namespace
    spec: Json = {
        "target": _target(options),
        "program": _program(options),
        "duration": format_duration(options.duration or LONGEST),
        "interval": format_duration(options.interval),
        "startTimeout": format_duration(options.start_timeout),
    }
    if options.follow_new is not None:
        spec["followNewPods"] = options.follow_new
    if options.ttl >= 0:
        spec["ttlSecondsAfterFinished"] = int(options.ttl)
    if options.unsafe:
        spec["unsafe"] = True
    return {
        "apiVersion": API_VERSION,
        "kind": CLUSTER_KIND if options.cluster else TRACEJOB_KIND,
        "metadata": metadata,
        "spec": spec,
    }


def _stem(target: TargetArgument) -> str:
    # A node's name may have dots, a job's may too; what must not be is one that ends in something else than a letter.
    return target.stem[:_STEM_LENGTH].rstrip("-.")


def _program(options: RunOptions) -> Json:
    program: Json = {"inline": options.program}
    if options.arguments:
        program["args"] = list(options.arguments)
    return program


def _target(options: RunOptions) -> Json:
    target: Json = {"kind": options.target.kind, "maxTargets": options.max_targets}
    if options.cluster and not options.target.cluster_scoped:
        target["namespace"] = options.namespace
    if options.target.name:
        target["name"] = options.target.name
    else:
        target["selector"] = _selector(options.target.selector or "")
    if options.containers:
        if options.target.cluster_scoped:
            raise UsageMistake(
                "a node's containers can't be chosen", hint="name the pod: kubectl trace run pod/NAME -c ..."
            )
        target["containers"] = list(options.containers)
    if options.process:
        target["process"] = _process(options.process)
    return target


def _selector(text: str) -> Json:
    if not text:
        return {}
    selector = cast(Json, msgspec.to_builtins(parse_selector(text)))
    return {key: value for key, value in selector.items() if value}


def _process(words: tuple[str, ...]) -> Json:
    chosen: Json = {}
    for word in words:
        field, equals, value = word.partition("=")
        if field not in _PROCESS_FIELDS or not equals or not value:
            raise UsageMistake(
                f"{word!r} names no process", hint="write --process pid=1, comm=nginx, exe=/bin/x or cmdline=GLOB"
            )
        if field == "pid" and not value.isdigit():
            raise UsageMistake(f"{value!r} is no process id")
        chosen[field] = int(value) if field == "pid" else value
    return chosen
