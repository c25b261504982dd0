"""The agent pod's manifest, from an agent's request. Pure: the same request and settings give the same pod.

The pod is bound to its node by affinity on metadata.name (labels can lie), tolerates everything by default, holds no
API token, opens no port, and gets its request through an annotation that a downwardAPI volume shows as a file.
"""

from __future__ import annotations

import hashlib
import math

import msgspec

from tracejob_api import labels
from tracejob_api.request import AgentRequest, encode
from tracejob_api.spec import ResourceRequirements, Toleration
from tracejob_operator.settings import Settings

Json = dict[str, object]

FLUSH_SECONDS = 30
"""Time that an agent has beyond startTimeout and duration before its pod's deadline ends it."""

GRACE_SECONDS = 10
"""From SIGTERM to SIGKILL: the agent writes its result and detaches."""


class AgentOptions(msgspec.Struct, frozen=True):
    """What a job may choose about its agents; None: the chart's."""

    resources: ResourceRequirements | None = None
    tolerations: tuple[Toleration, ...] | None = None
    image_pull_secrets: tuple[str, ...] | None = None
    priority_class_name: str | None = None


def agent_name(*, job_name: str, job_uid: str, node: str) -> str:
    """One name per job and node, so that creating it twice makes one pod."""
    suffix = hashlib.sha256(f"{job_uid}/{node}".encode()).hexdigest()[:10]
    return f"tracejob-{job_name[:40].rstrip('-.').replace('.', '-')}-{suffix}"


def deadline_seconds(request: AgentRequest) -> int:
    """The pod's activeDeadlineSeconds: it ends agents even when the operator is gone."""
    return math.ceil(request.start_timeout + request.duration) + FLUSH_SECONDS


def agent_pod(request: AgentRequest, *, settings: Settings, options: AgentOptions) -> Json:
    """The manifest; RequestTooLarge when the request doesn't fit into an annotation."""
    job = request.job
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": agent_name(job_name=job.name, job_uid=job.uid, node=request.node),
            "namespace": settings.namespace,
            "labels": {
                labels.LABEL_MANAGED_BY: labels.MANAGER,
                labels.LABEL_COMPONENT: labels.COMPONENT_AGENT,
                labels.LABEL_JOB_UID: job.uid,
            },
            "annotations": {
                labels.ANNOTATION_JOB: f"{job.namespace}/{job.name}",
                labels.ANNOTATION_NODE: request.node,
                labels.ANNOTATION_REQUEST: encode(request),
            },
        },
        "spec": _spec(request, settings=settings, options=options),
    }


def _spec(request: AgentRequest, *, settings: Settings, options: AgentOptions) -> Json:
    tolerations = settings.agent_tolerations if options.tolerations is None else options.tolerations
    secrets = settings.agent_pull_secrets if options.image_pull_secrets is None else options.image_pull_secrets
    spec: Json = {
        "restartPolicy": "Never",
        "activeDeadlineSeconds": deadline_seconds(request),
        "terminationGracePeriodSeconds": GRACE_SECONDS,
        "serviceAccountName": settings.agent_service_account,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "hostPID": True,
        "affinity": _node_affinity(request.node),
        "tolerations": [msgspec.to_builtins(item) for item in tolerations],
        "containers": [_container(settings=settings, options=options)],
        "volumes": _volumes(settings),
    }
    if secrets:
        spec["imagePullSecrets"] = [{"name": name} for name in secrets]
    priority = options.priority_class_name or settings.agent_priority_class
    if priority:
        spec["priorityClassName"] = priority
    return spec


def _node_affinity(node: str) -> Json:
    term = {"matchFields": [{"key": "metadata.name", "operator": "In", "values": [node]}]}
    return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}}}


def _container(*, settings: Settings, options: AgentOptions) -> Json:
    resources = settings.agent_resources if options.resources is None else options.resources
    return {
        "name": labels.AGENT_CONTAINER,
        "image": settings.agent_image,
        "imagePullPolicy": settings.agent_pull_policy,
        "args": ["--request", labels.REQUEST_FILE],
        # bpf(), perf_event_open(), other processes' /proc/PID/root: no smaller set does on every kernel.
        "securityContext": {"privileged": True, "readOnlyRootFilesystem": True},
        "resources": msgspec.to_builtins(resources),
        "terminationMessagePolicy": "File",
        "volumeMounts": [
            {"name": "request", "mountPath": labels.REQUEST_DIRECTORY, "readOnly": True},
            # BTF, and the list of PMUs that uprobes need.
            {"name": "sys", "mountPath": "/sys", "readOnly": True},
            # The node's own cgroup tree: the container's mount shows its own namespace only.
            {"name": "cgroup", "mountPath": "/sys/fs/cgroup", "readOnly": True},
            # Event formats and ids. Probes are made by perf_event_open, so nothing is written here.
            {"name": "tracing", "mountPath": "/sys/kernel/tracing", "readOnly": True},
            # The compiler's header tree and scratch files; nothing of it outlives the pod.
            {"name": "tmp", "mountPath": "/tmp"},
            *_cache_mount(settings),
        ],
    }


def _cache_mount(settings: Settings) -> list[Json]:
    """What agents keep on the node for the next one: types of its kernel, byte code. It names no target."""
    return [{"name": "cache", "mountPath": labels.CACHE_DIRECTORY}] if settings.agent_cache_path else []


def _volumes(settings: Settings) -> list[Json]:
    field = {"fieldPath": f"metadata.annotations['{labels.ANNOTATION_REQUEST}']"}
    cache: Json = {"name": "cache", "hostPath": {"path": settings.agent_cache_path, "type": "DirectoryOrCreate"}}
    return [
        {"name": "request", "downwardAPI": {"items": [{"path": "request", "fieldRef": field}]}},
        {"name": "sys", "hostPath": {"path": "/sys"}},
        {"name": "cgroup", "hostPath": {"path": "/sys/fs/cgroup", "type": "Directory"}},
        {"name": "tracing", "hostPath": {"path": "/sys/kernel/tracing", "type": "Directory"}},
        {"name": "tmp", "emptyDir": {"sizeLimit": "256Mi"}},
        *([cache] if settings.agent_cache_path else []),
    ]
