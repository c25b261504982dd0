"""Who may trace what is plain RBAC: `view` reads, who may exec may trace, nodes take a cluster-wide right."""

from __future__ import annotations

from pathlib import Path

import pytest

from e2e.access import EXEC, READ_PODS, TRACING, user
from e2e.pods import pod, trace_job
from e2e.system import System

PROGRAM = "tracepoint:syscalls:sys_enter_openat { @[comm] = count(); }"
POD = {"kind": "Pod", "name": "web"}


@pytest.fixture(scope="module")
def tenant(space: System) -> System:
    space.apply(pod("web")).ok()
    space.kubectl("wait", "--for=condition=Ready", "pod/web", "--timeout=60s").ok()
    return space


def test_a_viewer_reads_the_job_and_its_results_and_may_not_trace(tenant: System, tmp_path: Path) -> None:
    job = tenant.start("pod/web", PROGRAM, name="shown")
    tenant.workload("web", "open", "55", "counted")
    job.stop()
    viewer = user(tenant, "viewer", tmp_path, cluster_role="view")

    assert "@[counted]: 55" in viewer.trace("results", "shown").ok()
    assert "shown" in viewer.trace("get").ok()
    refs = job.status["results"]["refs"]
    assert "55" in viewer.kubectl("get", "configmap", refs[0]["name"], "-o", "yaml").ok()
    refused = viewer.trace("run", "pod/web", "-e", PROGRAM, "--name", "refused")
    assert refused.code == 1
    assert "forbidden" in refused.err.lower() or "may not" in refused.err.lower()


def test_without_the_right_to_exec_nobody_traces(tenant: System, tmp_path: Path) -> None:
    writer = user(tenant, "no-exec", tmp_path, rules=[TRACING, READ_PODS])
    refused = writer.trace("run", "pod/web", "-e", PROGRAM, "--name", "no-exec")
    assert refused.code == 1
    assert "pods/exec" in refused.err
    assert tenant.kubectl("get", "tracejob", "no-exec").code != 0


def test_with_the_right_to_exec_a_tenant_traces(tenant: System, tmp_path: Path) -> None:
    developer = user(tenant, "developer", tmp_path, rules=[TRACING, READ_PODS, EXEC])
    answer = developer.trace("run", "pod/web", "-e", "BEGIN { @ = 7; exit(); }", "--name", "allowed")
    assert answer.code == 0, answer.err
    assert "7" in answer.out


@pytest.mark.parametrize(
    ("target", "named"),
    [
        ({"kind": "Node", "name": "tracejob-e2e-worker"}, 'Unsupported value: "Node"'),
        ({"kind": "Node", "selector": {}}, 'Unsupported value: "Node"'),
        ({"kind": "Pod", "name": "coredns", "namespace": "kube-system"}, '"namespace"'),
    ],
    ids=["a node", "all nodes", "another namespace"],
)
def test_a_tracejob_reaches_nothing_beyond_its_namespace(tenant: System, target: dict[str, object], named: str) -> None:
    refused = tenant.apply(trace_job("beyond", target=target, program=PROGRAM))
    assert refused.code != 0
    assert named in refused.err


def test_a_tenant_may_not_create_a_clustertracejob(tenant: System, tmp_path: Path) -> None:
    admin = user(tenant, "tenant-admin", tmp_path, cluster_role="admin")
    refused = admin.trace("run", "node/any", "-e", PROGRAM, "--name", "root")
    assert refused.code in (1, 3)
    job = trace_job("root", target={"kind": "Node", "selector": {}}, program=PROGRAM) | {"kind": "ClusterTraceJob"}
    refused = admin.apply(job)
    assert refused.code != 0
    assert "forbidden" in refused.err.lower()


def test_the_agent_holds_no_api_token(tenant: System) -> None:
    job = tenant.start("pod/web", PROGRAM, name="tokenless")
    [agent] = job.agents()
    volumes = [volume for volume in agent["spec"]["volumes"] if "projected" in volume or "secret" in volume]
    assert volumes == []
    assert agent["spec"]["automountServiceAccountToken"] is False
    job.stop()
