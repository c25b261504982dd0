"""Find a job's target in the cluster: the requests behind `target`."""

from __future__ import annotations

from dataclasses import dataclass

from tracejob_api.reasons import Reason
from tracejob_api.spec import ClusterTarget, ClusterTargetKind, LabelSelector, Target
from tracejob_operator.client import Api, APINotFoundError
from tracejob_operator.kube import Node, Service, Workload
from tracejob_operator.picture import Job
from tracejob_operator.target import (
    PodQuery,
    Problem,
    describe,
    kind_of,
    pod_query,
    selector_text,
    service_query,
    workload_query,
)

_WORKLOADS = {
    ClusterTargetKind.DEPLOYMENT: "apis/apps/v1/namespaces/{}/deployments",
    ClusterTargetKind.STATEFUL_SET: "apis/apps/v1/namespaces/{}/statefulsets",
    ClusterTargetKind.DAEMON_SET: "apis/apps/v1/namespaces/{}/daemonsets",
    ClusterTargetKind.REPLICA_SET: "apis/apps/v1/namespaces/{}/replicasets",
    ClusterTargetKind.JOB: "apis/batch/v1/namespaces/{}/jobs",
}


@dataclass(frozen=True, slots=True)
class Nodes:
    """A job over whole nodes."""

    names: tuple[str, ...]


async def find_target(api: Api, job: Job) -> PodQuery | Nodes | Problem:
    """How to ask for the target's pods, or its nodes; a Problem when the named thing isn't there."""
    target = job.spec.target
    namespace = job.target_namespace
    kind = kind_of(target)
    try:
        if kind is ClusterTargetKind.NODE:
            return await _nodes(api, target)
        if kind is ClusterTargetKind.POD:
            return pod_query(target, namespace=namespace)
        if kind is ClusterTargetKind.SERVICE:
            service = await api.get(f"/api/v1/namespaces/{namespace}/services/{target.name}", Service)
            return service_query(service, namespace=namespace)
        path = f"/{_WORKLOADS[kind].format(namespace)}/{target.name}"
        return workload_query(await api.get(path, Workload), kind=kind, namespace=namespace)
    except APINotFoundError:
        where = f" in namespace {namespace}" if namespace else ""
        return Problem(Reason.TARGET_NOT_FOUND, f"there is no {describe(target)}{where}")


async def _nodes(api: Api, target: Target | ClusterTarget) -> Nodes | Problem:
    if target.name is not None:
        node = await api.get(f"/api/v1/nodes/{target.name}", Node)
        return Nodes((node.metadata.name,))
    selector = selector_text(target.selector or LabelSelector())
    found = await api.list("/api/v1/nodes", Node, query={"labelSelector": selector} if selector else {})
    names = tuple(sorted(node.metadata.name for node in found.items))
    if not names:
        return Problem(Reason.TARGET_NOT_FOUND, f"{describe(target)}: no node matches")
    if len(names) > target.max_targets:
        message = f"{describe(target)} matches {len(names)} nodes, maxTargets is {target.max_targets}"
        return Problem(Reason.TOO_MANY_TARGETS, message)
    return Nodes(names)
