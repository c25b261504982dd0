"""The operator as a process with the chart's rights, against a real API server. Without nodes, agents stay pending."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import cast

import pytest

from control_plane import ControlPlane
from tracejob_api import labels
from tracejob_api.request import AgentRequest, decode

pytestmark = pytest.mark.e2e

Json = dict[str, object]
MERGE = "application/merge-patch+json"
JOBS = "/apis/tracejob.dev/v1alpha1/namespaces/shop/tracejobs"
AGENTS = f"/api/v1/namespaces/{labels.SYSTEM_NAMESPACE}/pods"
_numbers = itertools.count()


@contextmanager
def _operator(cluster: ControlPlane) -> Iterator[subprocess.Popen[bytes]]:
    environment = os.environ | {"KUBECONFIG": str(cluster.kubeconfig(user="operator"))}
    log = (cluster.directory / "operator.log").open("ab")
    process = subprocess.Popen([sys.executable, "-m", "tracejob_operator"], env=environment, stdout=log, stderr=log)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=60)
        log.close()


@pytest.fixture(scope="module")
def operator(cluster: ControlPlane) -> Iterator[None]:
    for account in ("default", "tracejob-agent"):
        _eventually(
            lambda account=account: (
                cluster.request(  # type: ignore[misc]  # bound now, called now
                    "GET", f"/api/v1/namespaces/{labels.SYSTEM_NAMESPACE}/serviceaccounts/{account}"
                ).code
                == 200
            ),
            what=f"service account {account}",
        )
    with _operator(cluster):
        yield


def _eventually(ready: Callable[[], object], *, what: str, seconds: float = 60) -> object:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := ready():
            return found
        time.sleep(0.05)
    pytest.fail(f"not within {seconds} s: {what}")


def _pod(cluster: ControlPlane, *, phase: str = "Running") -> str:
    """A pod as if it ran on a node."""
    name = f"web-{next(_numbers)}"
    path = "/api/v1/namespaces/shop/pods"
    _eventually(
        lambda: cluster.request("GET", "/api/v1/namespaces/shop/serviceaccounts/default").code == 200,
        what="the default service account",
    )
    spec = {"nodeName": "node-1", "containers": [{"name": "main", "image": "none"}]}
    body = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}
    answer = cluster.request("POST", path, body)
    assert answer.code == 201, answer.message
    state = {"running": {"startedAt": "2026-01-01T00:00:00Z"}} if phase == "Running" else {"waiting": {"reason": "X"}}
    container = {
        "name": "main",
        "containerID": "containerd://abc",
        "image": "none",
        "imageID": "none",
        "ready": True,
        "restartCount": 0,
        "state": state,
    }
    status = {"phase": phase, "containerStatuses": [container]}
    answer = cluster.request("PATCH", f"{path}/{name}/status", {"status": status}, content=MERGE)
    assert answer.code == 200, answer.message
    return name


def _create(
    cluster: ControlPlane, *, target: str, kind: str = "Pod", program: str = "begin { }", **spec: object
) -> str:
    name = f"process-{next(_numbers)}"
    body = {
        "apiVersion": "tracejob.dev/v1alpha1",
        "kind": "TraceJob",
        "metadata": {"name": name},
        "spec": {"target": {"kind": kind, "name": target}, "program": {"inline": program}} | spec,
    }
    answer = cluster.request("POST", JOBS, body)
    assert answer.code == 201, answer.message
    return name


def _status(cluster: ControlPlane, name: str) -> Json:
    return cast(Json, cluster.request("GET", f"{JOBS}/{name}").body.get("status", {}))


def _phase(cluster: ControlPlane, name: str, phase: str) -> Json:
    def ready() -> Json | None:
        status = _status(cluster, name)
        return status if status.get("phase") == phase else None

    return cast(Json, _eventually(ready, what=f"{name} is {phase}"))


def _agents(cluster: ControlPlane, name: str) -> list[Json]:
    uid = cast(Json, cluster.request("GET", f"{JOBS}/{name}").body["metadata"])["uid"]
    found = cluster.request("GET", f"{AGENTS}?labelSelector=tracejob.dev/job-uid={uid}").body["items"]
    return cast(list[Json], found)


def _one_agent(cluster: ControlPlane, name: str) -> Json:
    (agent,) = cast(list[Json], _eventually(lambda: _agents(cluster, name), what="an agent pod"))
    return agent


def _request_of(agent: Json) -> AgentRequest:
    annotations = cast(dict[str, dict[str, str]], agent["metadata"])["annotations"]
    return decode(annotations[labels.ANNOTATION_REQUEST])


def _failure(status: Json) -> tuple[str, str]:
    (condition,) = (item for item in cast(list[dict[str, str]], status["conditions"]) if item["type"] == "Failed")
    return condition["reason"], condition["message"]


def test_a_syntax_error_fails_the_job_at_once_with_its_place(cluster: ControlPlane, operator: None) -> None:
    name = _create(cluster, target=_pod(cluster), program="begin { @ = ; }")
    status = _phase(cluster, name, "Failed")
    assert _failure(status)[0] == "ProgramInvalid"
    (diagnostic,) = cast(list[Json], status["diagnostics"])
    assert (diagnostic["line"], diagnostic["column"]) == (1, 13)
    assert _agents(cluster, name) == []


@pytest.mark.parametrize("kind", ["Pod", "Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job", "Service"])
def test_a_target_that_is_not_there(cluster: ControlPlane, operator: None, kind: str) -> None:
    name = _create(cluster, target="nobody", kind=kind)
    reason, message = _failure(_phase(cluster, name, "Failed"))
    assert reason == "TargetNotFound"
    assert "nobody" in message


def test_a_pod_that_does_not_run(cluster: ControlPlane, operator: None) -> None:
    name = _create(cluster, target=_pod(cluster, phase="Pending"))
    reason, message = _failure(_phase(cluster, name, "Failed"))
    assert reason == "PodNotRunning"
    assert "Pending, main: X" in message


def test_an_agent_pod_is_made_for_the_pods_node_and_goes_with_the_job(cluster: ControlPlane, operator: None) -> None:
    target = _pod(cluster)
    name = _create(cluster, target=target)
    agent = _one_agent(cluster, name)
    request = _request_of(agent)
    assert request.node == "node-1"
    assert [(pod.name, pod.namespace, pod.containers[0].id) for pod in request.targets] == [(target, "shop", "abc")]
    status = _phase(cluster, name, "Compiling")
    assert cast(Json, status["summary"])["targets"] == "0/1"
    metadata = cast(Json, cluster.request("GET", f"{JOBS}/{name}").body["metadata"])
    assert metadata["finalizers"] == [labels.FINALIZER]
    assert "annotations" not in metadata
    agent_name = cast(Json, agent["metadata"])["name"]
    cluster.request("DELETE", f"{JOBS}/{name}")
    _eventually(lambda: cluster.request("GET", f"{JOBS}/{name}").code == 404, what="the job is gone")
    assert cluster.request("GET", f"{AGENTS}/{agent_name}").code == 404


def test_a_restarted_container_is_handed_to_the_agent(cluster: ControlPlane, operator: None) -> None:
    target = _pod(cluster)
    name = _create(cluster, target=target)
    _one_agent(cluster, name)
    path = f"/api/v1/namespaces/shop/pods/{target}"
    statuses = cast(dict[str, list[Json]], cluster.request("GET", path).body["status"])["containerStatuses"]
    patch = {"status": {"containerStatuses": [statuses[0] | {"containerID": "containerd://def", "restartCount": 1}]}}
    assert cluster.request("PATCH", f"{path}/status", patch, content=MERGE).code == 200
    _eventually(
        lambda: _request_of(_one_agent(cluster, name)).targets[0].containers[0].id == "def", what="the new container"
    )


def test_stopped_before_it_was_attached(cluster: ControlPlane, operator: None) -> None:
    name = _create(cluster, target=_pod(cluster))
    _one_agent(cluster, name)
    cluster.request("PATCH", f"{JOBS}/{name}", {"spec": {"stop": True}}, content=MERGE)
    assert _failure(_phase(cluster, name, "Failed"))[0] == "Stopped"
    _eventually(lambda: not _agents(cluster, name), what="no agent")


def test_an_agent_that_does_not_start_in_time_is_removed(cluster: ControlPlane, operator: None) -> None:
    name = _create(cluster, target=_pod(cluster), startTimeout="1s")
    reason, message = _failure(_phase(cluster, name, "Failed"))
    assert reason == "StartTimeout"
    assert "not attached within startTimeout" in message
    _eventually(lambda: not _agents(cluster, name), what="no agent")


def test_a_finished_job_is_deleted_after_its_ttl(cluster: ControlPlane, operator: None) -> None:
    name = _create(cluster, target="nobody", ttlSecondsAfterFinished=1)
    _eventually(lambda: cluster.request("GET", f"{JOBS}/{name}").code == 404, what="the job is gone")


def test_jobs_of_many_shapes_do_not_disturb_each_other(cluster: ControlPlane, operator: None) -> None:
    target = _pod(cluster)
    names = [_create(cluster, target=target if number % 2 else "nobody") for number in range(10)]
    for number, name in enumerate(names):
        _phase(cluster, name, "Compiling" if number % 2 else "Failed")


def test_a_new_operator_goes_on_with_the_agents_of_the_last_and_removes_orphans(cluster: ControlPlane) -> None:
    target = _pod(cluster)
    with _operator(cluster) as process:
        name = _create(cluster, target=target)
        agent = cast(Json, _one_agent(cluster, name)["metadata"])
        _phase(cluster, name, "Compiling")
        process.kill()
        process.wait()
    orphan = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": "tracejob-orphan",
            "labels": {
                labels.LABEL_MANAGED_BY: labels.MANAGER,
                labels.LABEL_COMPONENT: labels.COMPONENT_AGENT,
                labels.LABEL_JOB_UID: "gone",
            },
        },
        "spec": {"containers": [{"name": "agent", "image": "none"}]},
    }
    assert cluster.request("POST", AGENTS, orphan).code == 201
    with _operator(cluster):
        _eventually(lambda: cluster.request("GET", f"{AGENTS}/tracejob-orphan").code == 404, what="no orphan")
        cluster.request("PATCH", f"{JOBS}/{name}", {"spec": {"stop": True}}, content=MERGE)
        assert _failure(_phase(cluster, name, "Failed"))[0] == "Stopped"
        assert cluster.request("GET", f"{AGENTS}/{agent['name']}").code == 404


def test_a_job_deleted_while_the_operator_was_away_is_cleaned_up(cluster: ControlPlane) -> None:
    with _operator(cluster):
        name = _create(cluster, target=_pod(cluster))
        _one_agent(cluster, name)
    uid = cast(Json, cluster.request("GET", f"{JOBS}/{name}").body["metadata"])["uid"]
    cluster.request("DELETE", f"{JOBS}/{name}")
    assert cluster.request("GET", f"{JOBS}/{name}").code == 200
    with _operator(cluster):
        _eventually(lambda: cluster.request("GET", f"{JOBS}/{name}").code == 404, what="the job is gone")
        assert cluster.request("GET", f"{AGENTS}?labelSelector=tracejob.dev/job-uid={uid}").body["items"] == []
