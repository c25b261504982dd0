"""Jobs come and go: several at once, deleted halfway, with an operator that dies in between. Nothing is left behind."""

from __future__ import annotations

import subprocess
import time

import pytest

from e2e.nodes import NodeShell
from e2e.pods import deployment, pod
from e2e.system import SYSTEM_NAMESPACE, System, agent_pods, scalar

COUNT_OPENS = "tracepoint:syscalls:sys_enter_openat { @[comm] = count(); }"


@pytest.fixture(scope="module")
def pods(space: System, nodes: list[str]) -> System:
    """`web` and `api` on one node; `pair`, a Deployment on two."""
    space.apply(pod("web", node=nodes[-1]), pod("api", node=nodes[-1]), deployment("pair", replicas=2)).ok()
    space.kubectl("wait", "--for=condition=Ready", "pod/web", "pod/api", "--timeout=60s").ok()
    space.kubectl("rollout", "status", "deployment/pair", "--timeout=60s").ok()
    return space


def test_two_jobs_on_one_target_each_count_everything(pods: System) -> None:
    first = pods.start("pod/web", COUNT_OPENS, name="same-first")
    second = pods.start("pod/web", COUNT_OPENS, name="same-second")
    pods.workload("web", "open", "444", "counted")
    assert scalar(first.stop(), "@", "counted") == 444
    assert scalar(second.stop(), "@", "counted") == 444


def test_two_jobs_on_two_targets_of_one_node_each_count_their_own(pods: System) -> None:
    web = pods.start("pod/web", COUNT_OPENS, name="own-web")
    api = pods.start("pod/api", COUNT_OPENS, name="own-api")
    pods.workload("web", "open", "111", "counted")
    pods.workload("api", "open", "222", "counted")
    assert scalar(web.stop(), "@", "counted") == 111
    assert scalar(api.stop(), "@", "counted") == 222


def test_output_of_several_agents_says_whose_line_it_is(pods: System) -> None:
    answer = pods.trace("run", "deploy/pair", "-e", 'BEGIN { printf("hello\\n"); exit(); }', "--name", "whose")
    assert answer.code == 0, answer.err
    said = [line for line in answer.out.splitlines() if "hello" in line]
    rows = pods.get("pods", "", "-l", "app=pair")["items"]
    expected = {f"{each['metadata']['name']}@{each['spec']['nodeName']}" for each in rows}
    assert len(said) == 2
    assert all(any(line.startswith(name) for line in said) for name in expected), said


def test_a_duration_ends_the_job_by_itself(pods: System) -> None:
    job = pods.start("pod/web", COUNT_OPENS, "--duration", "2s", name="timed")
    assert job.wait_until_over(timeout=20)["phase"] == "Succeeded"


def test_a_target_that_is_deleted_ends_the_job_with_what_was_seen(pods: System) -> None:
    pods.apply(pod("brief")).ok()
    pods.kubectl("wait", "--for=condition=Ready", "pod/brief", "--timeout=60s").ok()
    job = pods.start("pod/brief", COUNT_OPENS, name="brief")
    pods.workload("brief", "open", "66", "counted")
    pods.kubectl("delete", "pod", "brief").ok()
    assert scalar(job.wait_until_over(), "@", "counted") == 66


def test_a_new_pod_of_the_deployment_is_traced_too(pods: System) -> None:
    pods.apply(deployment("grows", replicas=1)).ok()
    pods.kubectl("rollout", "status", "deployment/grows", "--timeout=60s").ok()
    job = pods.start("deploy/grows", COUNT_OPENS, name="grows")
    before = {each["metadata"]["name"] for each in pods.get("pods", "", "-l", "app=grows")["items"]}
    pods.kubectl("scale", "deployment/grows", "--replicas=2").ok()
    pods.kubectl("rollout", "status", "deployment/grows", "--timeout=60s").ok()
    [new] = {each["metadata"]["name"] for each in pods.get("pods", "", "-l", "app=grows")["items"]} - before
    deadline = time.monotonic() + 30
    while job.status["targets"].get("running") != 2:
        assert time.monotonic() < deadline, job.status["targets"]
        time.sleep(0.1)
    pods.workload(new, "open", "88", "counted")
    assert scalar(job.stop(), "@", "counted") == 88


def test_the_job_ends_right_after_the_operator_was_killed_and_started_again(pods: System) -> None:
    inside = pods.within(SYSTEM_NAMESPACE)
    job = pods.start("deploy/pair", COUNT_OPENS, name="orphaned")
    first, second = [each["metadata"]["name"] for each in pods.get("pods", "", "-l", "app=pair")["items"]]
    pods.workload(first, "open", "300", "counted")
    selector = operator_selector(inside)
    inside.kubectl("delete", "pod", "-l", selector, "--grace-period=0", "--force").ok()
    pods.workload(second, "open", "33", "counted")
    inside.kubectl("rollout", "status", "deployment/tracejob-operator", "--timeout=60s").ok()
    status = job.stop()
    assert status["phase"] == "Succeeded"
    assert scalar(status, "@", "counted") == 333


@pytest.mark.alone
def test_delete_during_a_run_leaves_nothing(pods: System) -> None:
    program = COUNT_OPENS + ' interval:ms:500 { print(@); } BEGIN { printf("on\\n"); }'
    job = pods.start("deploy/pair", program, "--interval", "1s", name="deleted")
    pods.workload(pods.get("pods", "", "-l", "app=pair")["items"][0]["metadata"]["name"], "open", "50", "counted")
    uid = job.read()["metadata"]["uid"]
    time.sleep(1.5)  # a snapshot was written by now
    pods.trace("delete", "deleted").ok()

    assert pods.kubectl("get", "tracejob", "deleted").code != 0
    deadline = time.monotonic() + 30
    while left := leftovers(pods, uid):
        assert time.monotonic() < deadline, left
        time.sleep(0.2)


def leftovers(pods: System, uid: str) -> list[str]:
    """What is still there of a deleted job: agent pods, ConfigMaps, BPF programs and maps of any agent."""
    agents = [f"pod {each['metadata']['name']}" for each in agent_pods(pods, uid)]
    owned = [
        f"configmap {each['metadata']['name']}"
        for each in pods.get("configmaps")["items"]
        if any(owner["uid"] == uid for owner in each["metadata"].get("ownerReferences", []))
    ]
    return [*agents, *owned, *(bpf_objects() + half_written(pods) if pods.ours else [])]


def half_written(pods: System) -> list[str]:
    """Files on the nodes that an agent began and didn't finish; what is whole in the cache stays for the next one."""
    nodes = [node["metadata"]["name"] for node in pods.get("nodes")["items"]]
    places = "/var/cache/tracejob/.new-* /tmp/tracejob* /tmp/tj*"
    listings = {node: NodeShell(node).run(f"ls -d {places} 2>/dev/null || true") for node in nodes}
    return [f"{node}: {line}" for node, listing in listings.items() for line in listing.splitlines()]


def bpf_objects() -> list[str]:
    """BPF programs and maps named tj_*: a kind node shares this machine's kernel."""
    found = []
    for kind in ("prog", "map"):
        listing = subprocess.run(["bpftool", kind, "list"], capture_output=True, text=True, check=False)
        if listing.returncode != 0:  # it fails when an object goes while it is listed: ask again
            return [f"bpftool: {listing.stderr}"]
        found += [f"{kind} {line}" for line in listing.stdout.splitlines() if " tj_" in line]
    return found


def operator_selector(inside: System) -> str:
    labels = inside.get("deployment", "tracejob-operator")["spec"]["selector"]["matchLabels"]
    return ",".join(f"{name}={value}" for name, value in labels.items())


def test_a_terminal_shows_the_maps_while_the_job_runs(pods: System) -> None:
    command = (
        f"kubectl trace run pod/web -n {pods.namespace} --duration 4s --interval 1s --name watched -e '{COUNT_OPENS}'"
    )
    shown = pods.run("env", "TERM=xterm", "script", "-qefc", command, "/dev/null").ok()
    while_running, _, at_the_end = shown.rpartition("Ctrl-C ends it and keeps the result")
    assert "1 of 1 targets | nothing lost]" in while_running
    assert "cost: " in at_the_end, "the region is gone when the result is printed"
