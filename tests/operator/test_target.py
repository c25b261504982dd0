"""Which pods a job is about, and what is said when there are none."""

from __future__ import annotations

import pytest

import job_builders as make
from tracejob_api.reasons import Reason
from tracejob_api.spec import (
    ClusterTargetKind,
    LabelSelector,
    SelectorOperator,
    SelectorRequirement,
    Target,
    TargetKind,
)
from tracejob_operator.kube import Metadata, OwnerReference, Pod, Selector, Service, ServiceSpec, Workload, WorkloadSpec
from tracejob_operator.target import PodQuery, Problem, pod_query, resolve, selector_text, service_query, workload_query

WEB = Target(name="web")
BY_LABEL = Target(selector=LabelSelector(match_labels={"app": "web"}), max_targets=2)
QUERY = PodQuery("shop")


def test_running_pods_are_grouped_by_node() -> None:
    found = resolve(BY_LABEL, [make.pod("b", node="n2"), make.pod("a", node="n1")], query=QUERY)
    assert {node: [item.name for item in pods] for node, pods in found.pods.items()} == {"n1": ["a"], "n2": ["b"]}
    assert found.problem is None


def test_the_runtime_is_cut_off_container_ids_and_all_containers_are_meant() -> None:
    found = resolve(WEB, [make.pod()], query=QUERY)
    (target,) = found.pods["n1"]
    assert target.all_containers
    assert [(item.name, item.id) for item in target.containers] == [("main", "web-main")]


def test_named_containers_may_be_init_containers_of_a_pod_that_is_still_pending() -> None:
    pod = make.pod(phase="Pending", init={"setup": make.RUNNING}, containers={"main": make.waiting("PodInitializing")})
    (target,) = resolve(Target(name="web", containers=("setup",)), [pod], query=QUERY).pods["n1"]
    assert not target.all_containers
    assert [item.name for item in target.containers] == ["setup"]


def test_pods_that_do_not_run_are_left_out_while_others_do() -> None:
    pods = [make.pod("a"), make.pod("b", phase="Pending", containers={"main": make.waiting("ImagePullBackOff")})]
    assert [item.name for item in resolve(BY_LABEL, pods, query=QUERY).pods["n1"]] == ["a"]


@pytest.mark.parametrize(
    ("target", "pods", "reason", "said"),
    [
        (WEB, [], Reason.TARGET_NOT_FOUND, "there is no pod web in namespace shop"),
        (BY_LABEL, [], Reason.NO_PODS, "pods -l app=web has no pods in namespace shop"),
        (WEB, [make.pod(deleted=True)], Reason.POD_NOT_RUNNING, "being deleted"),
        (
            WEB,
            [make.pod(phase="Succeeded", containers={"main": make.terminated(0)})],
            Reason.POD_NOT_RUNNING,
            "Succeeded",
        ),
        (
            WEB,
            [make.pod(phase="Pending", containers={"main": make.waiting("ImagePullBackOff")})],
            Reason.POD_NOT_RUNNING,
            "Pending, main: ImagePullBackOff",
        ),
        (
            Target(name="web", containers=("db",)),
            [make.pod(containers={"main": make.RUNNING, "proxy": make.RUNNING})],
            Reason.CONTAINER_NOT_FOUND,
            "no container named db: there is main, proxy",
        ),
        (
            Target(name="web", containers=("db",)),
            [make.pod(containers={"main": make.RUNNING, "db": make.waiting("CrashLoopBackOff")})],
            Reason.CONTAINER_NOT_RUNNING,
            "container db is not running, db: CrashLoopBackOff",
        ),
        (
            BY_LABEL,
            [make.pod("a"), make.pod("b"), make.pod("c")],
            Reason.TOO_MANY_TARGETS,
            "matches 3 pods, maxTargets is 2",
        ),
    ],
    ids=lambda value: value.value if isinstance(value, Reason) else "",
)
def test_nothing_to_trace_has_a_reason(target: Target, pods: list[Pod], reason: Reason, said: str) -> None:
    found = resolve(target, pods, query=QUERY)
    assert not found.pods
    assert found.problem is not None
    assert found.problem.reason is reason
    assert said in found.problem.message


def _owned(kind: str, name: str, uid: str) -> Pod:
    return make.pod(owner=OwnerReference(kind=kind, name=name, uid=uid, controller=True))


@pytest.mark.parametrize(
    ("kind", "pod", "matches"),
    [
        (ClusterTargetKind.DEPLOYMENT, _owned("ReplicaSet", "web-5d8", "x"), True),
        (ClusterTargetKind.DEPLOYMENT, _owned("ReplicaSet", "webshop-5d8", "x"), False),
        (ClusterTargetKind.DEPLOYMENT, make.pod(), False),
        (ClusterTargetKind.STATEFUL_SET, _owned("StatefulSet", "web", "uid-of-web"), True),
        (ClusterTargetKind.STATEFUL_SET, _owned("StatefulSet", "web", "other"), False),
    ],
)
def test_pods_that_only_look_like_a_workloads_own_are_not_traced(
    kind: ClusterTargetKind, pod: Pod, matches: bool
) -> None:
    workload = Workload(
        metadata=Metadata(name="web", uid="uid-of-web"), spec=WorkloadSpec(Selector(match_labels={"app": "web"}))
    )
    query = workload_query(workload, kind=kind, namespace="shop")
    assert isinstance(query, PodQuery)
    assert query.parameters() == {"labelSelector": "app=web"}
    assert query.matches(pod) is matches


def test_a_service_without_selector_is_refused() -> None:
    found = service_query(Service(metadata=Metadata(name="outside")), namespace="shop")
    assert isinstance(found, Problem)
    assert found.reason is Reason.NO_SELECTOR
    found = service_query(Service(metadata=Metadata(name="s"), spec=ServiceSpec({"a": "b"})), namespace="shop")
    assert found == PodQuery("shop", label_selector="a=b")


def test_a_pod_is_asked_for_by_name_so_that_one_pod_is_watched() -> None:
    assert pod_query(WEB, namespace="shop").parameters() == {"fieldSelector": "metadata.name=web"}
    assert pod_query(Target(selector=LabelSelector()), namespace="shop").parameters() == {}


def test_every_operator_of_a_selector_is_spelled_as_the_api_server_reads_it() -> None:
    selector = LabelSelector(
        match_labels={"b": "2", "a": "1"},
        match_expressions=(
            SelectorRequirement("tier", SelectorOperator.IN, ("x", "y")),
            SelectorRequirement("env", SelectorOperator.NOT_IN, ("prod",)),
            SelectorRequirement("team", SelectorOperator.EXISTS),
            SelectorRequirement("old", SelectorOperator.DOES_NOT_EXIST),
        ),
    )
    assert selector_text(selector) == "a=1,b=2,tier in (x,y),env notin (prod),team,!old"


def test_both_kinds_of_job_know_the_same_workloads() -> None:
    assert {kind.value for kind in ClusterTargetKind} == {kind.value for kind in TargetKind} | {"Node"}


@pytest.mark.parametrize(
    ("pod", "paused"),
    [
        (make.pod(containers={"main": make.waiting("CrashLoopBackOff")}), True),
        (make.pod(containers={"main": make.terminated(1)}), True),
        (make.pod(phase="Succeeded", containers={"main": make.terminated(0)}), False),
        (make.pod(deleted=True), False),
    ],
    ids=["backing off", "about to be restarted", "ended", "being deleted"],
)
def test_a_pod_between_two_lives_of_its_container_is_told_from_one_that_is_gone(pod: Pod, paused: bool) -> None:
    assert (pod.metadata.uid in resolve(WEB, [pod], query=QUERY).paused) is paused
