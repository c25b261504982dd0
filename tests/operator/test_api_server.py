"""The CRDs' rules and the admission policy, as a real API server applies them."""

from __future__ import annotations

import itertools
import time
from typing import cast

import pytest

from control_plane import Answer, ControlPlane
from tracejob_api.spec import PROGRAM_LIMIT

pytestmark = pytest.mark.e2e

Json = dict[str, object]
JOBS = "/apis/tracejob.dev/v1alpha1/namespaces/shop/tracejobs"
CLUSTER_JOBS = "/apis/tracejob.dev/v1alpha1/clustertracejobs"
MERGE = "application/merge-patch+json"
_numbers = itertools.count()


def _job(kind: str = "TraceJob", /, **spec: object) -> Json:
    whole: Json = {"target": {"name": "web"}, "program": {"inline": "begin { }"}} | spec
    return {
        "apiVersion": "tracejob.dev/v1alpha1",
        "kind": kind,
        "metadata": {"name": f"rules-{next(_numbers)}"},
        "spec": whole,
    }


def _create(cluster: ControlPlane, job: Json, *, user: str = "alice") -> Answer:
    return cluster.request("POST", CLUSTER_JOBS if job["kind"] == "ClusterTraceJob" else JOBS, job, user=user)


def _name(answer: Answer) -> str:
    return str(cast(Json, answer.body["metadata"])["name"])


@pytest.fixture(scope="module", autouse=True)
def _policy_works(cluster: ControlPlane) -> None:
    """A new admission policy takes a moment to be in force, and so do aggregated roles."""
    for _ in range(300):
        if _create(cluster, _job(), user="bob").code == 403 and _create(cluster, _job(), user="alice").code == 201:
            return
        time.sleep(0.1)
    pytest.fail("the admission policy lets everybody in, or nobody")


def test_defaults_are_filled_in(cluster: ControlPlane) -> None:
    answer = _create(cluster, _job())
    assert answer.code == 201, answer.message
    spec = cast(Json, answer.body["spec"])
    assert {name: spec[name] for name in ("duration", "startTimeout", "interval", "stop")} == {
        "duration": "60s",
        "startTimeout": "2m",
        "interval": "5s",
        "stop": False,
    }
    assert spec["limits"] == {"eventsPerSecond": 10000, "mapEntries": 4096, "outputBytes": "10Mi"}
    assert spec["target"] == {"kind": "Pod", "name": "web", "maxTargets": 100}


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"target": {}}, "name or selector: exactly one of them"),
        ({"target": {"name": "a", "selector": {}}}, "name or selector: exactly one of them"),
        ({"target": {"kind": "Deployment", "selector": {}}}, "a selector is over pods"),
        ({"target": {"kind": "Node", "name": "n"}}, "Unsupported value"),
        ({"program": {}}, "inline or tool: exactly one of them"),
        ({"program": {"inline": "x", "tool": "y"}}, "inline or tool: exactly one of them"),
        ({"program": {"inline": "x" * (PROGRAM_LIMIT + 1)}}, "may not be more than 65536"),
        ({"program": {"inline": "é" * 40_000}}, "a program is at most 64 KiB"),
        ({"duration": "0s"}, "duration is from 1ms to 24h"),
        ({"duration": "25h"}, "duration is from 1ms to 24h"),
        ({"duration": "soon"}, "should match"),
        ({"interval": "1ms"}, "interval is from 500ms to 24h"),
        ({"limits": {"outputBytes": "lots"}}, "should match"),
        ({"limits": {"mapEntries": 0}}, "greater than or equal to 1"),
        ({"target": {"name": "a", "containers": ["x", "x"]}}, "Duplicate value"),
    ],
)
def test_what_makes_no_sense_is_refused(cluster: ControlPlane, spec: Json, said: str) -> None:
    answer = _create(cluster, _job(**spec))
    assert answer.code == 422, answer
    assert said in answer.message


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ({"name": "web"}, "pods need a namespace, nodes have none"),
        ({"kind": "Node", "name": "n", "namespace": "shop"}, "pods need a namespace, nodes have none"),
        ({"kind": "Node", "name": "n", "containers": ["a"]}, "a node's containers can't be chosen"),
    ],
)
def test_the_cluster_kind_has_rules_of_its_own(cluster: ControlPlane, target: Json, said: str) -> None:
    answer = _create(cluster, _job("ClusterTraceJob", target=target), user="admin")
    assert answer.code == 422
    assert said in answer.message


def test_a_node_or_another_namespace_takes_the_cluster_kind(cluster: ControlPlane) -> None:
    for target in ({"kind": "Node", "name": "n"}, {"kind": "Node", "selector": {}}, {"name": "w", "namespace": "x"}):
        job = _job("ClusterTraceJob", target=target, unsafe=True)
        assert _create(cluster, job, user="admin").code == 201
        assert _create(cluster, job, user="alice").code == 403
    # In a TraceJob, such fields are not known, and dropped.
    answer = _create(cluster, _job(target={"name": "web", "namespace": "kube-system"}, unsafe=True))
    assert "kube-system" not in str(answer.body["spec"])
    assert "unsafe" not in str(answer.body["spec"])


@pytest.mark.parametrize(
    "patch",
    [
        {"duration": "5s"},
        {"program": {"inline": "other"}},
        {"target": {"name": "other"}},
        {"followNewPods": True},
        {"limits": None},
        {"limits": {"mapEntries": 5}},
        {"agent": {"tolerations": []}},
    ],
    ids=lambda patch: next(iter(patch)),
)
def test_what_runs_can_not_change(cluster: ControlPlane, patch: Json) -> None:
    name = _name(_create(cluster, _job(limits={"mapEntries": 7})))
    answer = cluster.request("PATCH", f"{JOBS}/{name}", {"spec": patch}, user="alice", content=MERGE)
    assert answer.code == 422, answer
    assert "can't change" in answer.message


def test_a_job_can_be_stopped_once_and_its_ttl_changed(cluster: ControlPlane) -> None:
    path = f"{JOBS}/{_name(_create(cluster, _job()))}"

    def patch(**spec: object) -> Answer:
        return cluster.request("PATCH", path, {"spec": spec}, user="alice", content=MERGE)

    assert patch(ttlSecondsAfterFinished=5).code == 200
    assert patch(stop=True).code == 200
    answer = patch(stop=False)
    assert answer.code == 422
    assert "can't be started again" in answer.message


def test_who_may_not_exec_may_not_trace(cluster: ControlPlane) -> None:
    answer = _create(cluster, _job(), user="bob")
    assert answer.code == 403
    assert "bob needs the right to create pods/exec in namespace shop" in answer.message


def test_who_may_not_exec_may_not_stop_others_either_but_label(cluster: ControlPlane) -> None:
    path = f"{JOBS}/{_name(_create(cluster, _job()))}"
    stopped = cluster.request("PATCH", path, {"spec": {"stop": True}}, user="bob", content=MERGE)
    assert stopped.code == 403
    labelled = cluster.request("PATCH", path, {"metadata": {"labels": {"a": "b"}}}, user="bob", content=MERGE)
    assert labelled.code == 200


def test_view_reads_jobs_and_nothing_more(cluster: ControlPlane) -> None:
    path = f"{JOBS}/{_name(_create(cluster, _job()))}"
    assert cluster.request("GET", path, user="viewer").code == 200
    assert cluster.request("GET", JOBS, user="viewer").code == 200
    assert cluster.request("DELETE", path, user="viewer").code == 403
    assert cluster.request("GET", CLUSTER_JOBS, user="viewer").code == 403
    assert cluster.request("GET", JOBS.replace("shop", "default"), user="viewer").code == 403


def test_only_the_operator_writes_status(cluster: ControlPlane) -> None:
    path = f"{JOBS}/{_name(_create(cluster, _job()))}/status"
    patch = {"status": {"phase": "Succeeded"}}
    assert cluster.request("PATCH", path, patch, user="alice", content=MERGE).code == 403
    assert cluster.request("PATCH", path, patch, user="operator", content=MERGE).code == 200


def test_a_name_that_leaves_no_room_for_the_results_is_refused(cluster: ControlPlane) -> None:
    job = _job()
    job["metadata"] = {"name": "x" * 240}
    answer = _create(cluster, job)
    assert answer.code == 422
    assert "at most 230 characters" in answer.message


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/v1/namespaces/shop/secrets"),
        ("GET", "/api/v1/namespaces/shop/configmaps"),
        ("POST", "/api/v1/namespaces/shop/pods"),
        ("DELETE", "/api/v1/namespaces/shop/pods/web"),
        ("GET", "/api/v1/namespaces/shop/pods/web/log"),
        ("POST", "/api/v1/namespaces/tracejob-system/pods/x/exec"),
        ("PATCH", "/api/v1/nodes/n"),
    ],
)
def test_the_operator_has_no_more_rights_than_it_uses(cluster: ControlPlane, method: str, path: str) -> None:
    assert (
        cluster.request(
            method, path, {} if method != "GET" else None, user="operator", content=MERGE if method == "PATCH" else ""
        ).code
        == 403
    )
