"""Which pods a job is about, and where they run: pure decisions over what the API server returned.

In: the job's target, and the pods that its query found. Out: a `Resolution`: pods by node, or the `Problem` that the
job fails with. The query itself is made here too, from the workload's own selector.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from tracejob_api.reasons import Reason
from tracejob_api.request import ContainerTarget, PodTarget
from tracejob_api.spec import ClusterTarget, ClusterTargetKind, LabelSelector, SelectorOperator, Target
from tracejob_operator.kube import ContainerStatus, Pod, Selector, Service, Workload


@dataclass(frozen=True, slots=True)
class Problem:
    """What a job can't go on with, in one sentence for the user."""

    reason: Reason
    message: str


@dataclass(frozen=True, slots=True)
class PodQuery:
    """How to ask for the target's pods: selectors for the API server, then the owner, which it can't select by.

    owner_uid: only pods that this object controls. owner_prefix: only pods of a ReplicaSet named so (Deployments own
    pods through ReplicaSets).
    """

    namespace: str
    label_selector: str = ""
    field_selector: str = ""
    owner_uid: str = ""
    owner_prefix: str = ""

    def parameters(self) -> dict[str, str]:
        both = {"labelSelector": self.label_selector, "fieldSelector": self.field_selector}
        return {name: value for name, value in both.items() if value}

    def matches(self, pod: Pod) -> bool:
        owners = [owner for owner in pod.metadata.owner_references if owner.controller]
        if self.owner_uid:
            return any(owner.uid == self.owner_uid for owner in owners)
        if self.owner_prefix:
            return any(owner.kind == "ReplicaSet" and owner.name.startswith(self.owner_prefix) for owner in owners)
        return True


@dataclass(frozen=True, slots=True)
class Resolution:
    """Pods to trace, by node. `problem` is set when there is nothing to trace.

    paused: UIDs of pods that live but have no container running now: one that is being restarted, most likely.
    """

    pods: Mapping[str, tuple[PodTarget, ...]]
    problem: Problem | None = None
    paused: frozenset[str] = frozenset()


def kind_of(target: Target | ClusterTarget) -> ClusterTargetKind:
    """Both kinds of target in the wider enumeration."""
    return ClusterTargetKind(target.kind.value)


def describe(target: Target | ClusterTarget) -> str:
    """The target as a user names it: "deployment/web", "pods -l app=web"."""
    if target.name is not None:
        return f"{target.kind.value.lower()}/{target.name}"
    selector = selector_text(target.selector or LabelSelector())
    plural = f"{target.kind.value.lower()}s"
    return f"{plural} -l {selector}" if selector else f"all {plural}"


def selector_text(selector: LabelSelector | Selector) -> str:
    """A label selector as the API server takes it in a query."""
    parts = [f"{key}={value}" for key, value in sorted(selector.match_labels.items())]
    for item in selector.match_expressions:
        values = f"({','.join(item.values)})"
        match SelectorOperator(item.operator):
            case SelectorOperator.IN:
                parts.append(f"{item.key} in {values}")
            case SelectorOperator.NOT_IN:
                parts.append(f"{item.key} notin {values}")
            case SelectorOperator.EXISTS:
                parts.append(item.key)
            case SelectorOperator.DOES_NOT_EXIST:
                parts.append(f"!{item.key}")
    return ",".join(parts)


def pod_query(target: Target | ClusterTarget, *, namespace: str) -> PodQuery:
    """The query for a pod by name, or pods by labels."""
    if target.name is not None:
        return PodQuery(namespace, field_selector=f"metadata.name={target.name}")
    return PodQuery(namespace, label_selector=selector_text(target.selector or LabelSelector()))


def workload_query(workload: Workload, *, kind: ClusterTargetKind, namespace: str) -> PodQuery | Problem:
    """The query for a workload's pods."""
    metadata = workload.metadata
    if workload.spec.selector is None:
        message = f"{kind.value.lower()}/{metadata.name} has no selector: its pods can't be found"
        return Problem(Reason.NO_SELECTOR, message)
    labels = selector_text(workload.spec.selector)
    if kind is ClusterTargetKind.DEPLOYMENT:
        return PodQuery(namespace, label_selector=labels, owner_prefix=f"{metadata.name}-")
    return PodQuery(namespace, label_selector=labels, owner_uid=metadata.uid)


def service_query(service: Service, *, namespace: str) -> PodQuery | Problem:
    """The query for the pods behind a service."""
    if not service.spec.selector:
        message = f"service/{service.metadata.name} has no selector: name its pods or their workload instead"
        return Problem(Reason.NO_SELECTOR, message)
    return PodQuery(namespace, label_selector=selector_text(Selector(match_labels=service.spec.selector)))


def resolve(target: Target | ClusterTarget, pods: Iterable[Pod], *, query: PodQuery) -> Resolution:
    """The pods to trace now. The first reason that fits is the problem, told with what would help."""
    matched = sorted((pod for pod in pods if query.matches(pod)), key=lambda pod: pod.metadata.name)
    alive = [pod for pod in matched if pod.metadata.deletion_timestamp is None]
    if not alive:
        return Resolution({}, _none_found(target, namespace=query.namespace, terminating=len(matched)))
    if len(alive) > target.max_targets:
        message = f"{describe(target)} matches {len(alive)} pods, maxTargets is {target.max_targets}"
        return Resolution({}, Problem(Reason.TOO_MANY_TARGETS, message))
    wrong = _unknown_containers(target.containers, alive)
    if wrong is not None:
        return Resolution({}, wrong)
    by_node: dict[str, list[PodTarget]] = {}
    for pod in alive:
        containers = _running(pod, wanted=target.containers)
        if pod.spec.node_name and containers:
            by_node.setdefault(pod.spec.node_name, []).append(_pod_target(pod, containers, wanted=target.containers))
    traced = {found.uid for pods_of_node in by_node.values() for found in pods_of_node}
    paused = frozenset(
        pod.metadata.uid
        for pod in alive
        if pod.metadata.uid not in traced and pod.status.phase not in ("Succeeded", "Failed")
    )
    if not by_node:
        return Resolution({}, _none_running(target, alive), paused)
    return Resolution({node: tuple(found) for node, found in sorted(by_node.items())}, paused=paused)


def _pod_target(pod: Pod, containers: Sequence[ContainerStatus], *, wanted: Sequence[str]) -> PodTarget:
    return PodTarget(
        uid=pod.metadata.uid,
        name=pod.metadata.name,
        namespace=pod.metadata.namespace,
        containers=tuple(
            ContainerTarget(name=item.name, id=item.container_id.rpartition("://")[2], image=item.image)
            for item in containers
        ),
        all_containers=not wanted,
        qos=pod.status.qos_class,
        workload=next(
            (f"{owner.kind}/{owner.name}" for owner in pod.metadata.owner_references if owner.controller), ""
        ),
    )


def _running(pod: Pod, *, wanted: Sequence[str]) -> list[ContainerStatus]:
    """Containers that run now; a pod that is still initialising counts by the init container that runs."""
    return [
        item
        for item in pod.status.all_containers()
        if item.state.running is not None and item.container_id and (not wanted or item.name in wanted)
    ]


def _none_found(target: Target | ClusterTarget, *, namespace: str, terminating: int) -> Problem:
    where = f"namespace {namespace}"
    if terminating:
        return Problem(Reason.POD_NOT_RUNNING, f"{describe(target)} in {where} is being deleted")
    if kind_of(target) is ClusterTargetKind.POD and target.name is not None:
        return Problem(Reason.TARGET_NOT_FOUND, f"there is no pod {target.name} in {where}")
    return Problem(Reason.NO_PODS, f"{describe(target)} has no pods in {where}")


def _unknown_containers(wanted: Sequence[str], pods: Sequence[Pod]) -> Problem | None:
    known = {name for pod in pods for name in pod.container_names()}
    unknown = [name for name in wanted if name not in known]
    if not unknown:
        return None
    message = f"no container named {', '.join(unknown)}: there is {', '.join(sorted(known))}"
    return Problem(Reason.CONTAINER_NOT_FOUND, message)


def _none_running(target: Target | ClusterTarget, pods: Sequence[Pod]) -> Problem:
    """Why none of the pods can be traced, shown by the first of them."""
    pod = pods[0]
    many = f"{len(pods)} pods of {describe(target)}, first {pod.metadata.name}"
    name = f"pod {pod.metadata.name}" if len(pods) == 1 else many
    if target.containers and pod.status.phase == "Running":
        message = f"{name}: container {', '.join(target.containers)} is not running{_waiting_reason(pod)}"
        return Problem(Reason.CONTAINER_NOT_RUNNING, message)
    phase = pod.status.phase or "not scheduled"
    return Problem(Reason.POD_NOT_RUNNING, f"{name}: not running ({phase}{_waiting_reason(pod)})")


def _waiting_reason(pod: Pod) -> str:
    for item in pod.status.all_containers():
        if item.state.waiting is not None and item.state.waiting.reason:
            return f", {item.name}: {item.state.waiting.reason}"
    return ""
