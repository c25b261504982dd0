"""Each mistake has its own message and exit code, and leaves nothing behind."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from e2e.access import with_login
from e2e.nodes import NodeShell
from e2e.pods import container, pod
from e2e.system import Answer, Json, System, agent_pods

COUNT = "tracepoint:syscalls:sys_enter_openat { @ = count(); }"
USAGE, PROGRAM_ERROR, NO_TARGET, TIMED_OUT = 1, 2, 3, 5


@pytest.fixture(scope="module")
def web(space: System) -> System:
    space.apply(
        pod("web"),
        pod("unborn", containers=[container(image="tracejob/there-is-no-such-image:dev")]),
    ).ok()
    space.kubectl("wait", "--for=condition=Ready", "pod/web", "--timeout=60s").ok()
    return space


def refuse(system: System, target: str, program: str, *flags: str, name: str) -> Answer:
    """Run something that must fail; check that no agent is left."""
    answer = system.trace("run", target, "-e", program, "--name", name, *flags)
    assert answer.code != 0, answer.out
    job = system.kubectl("get", "tracejob", name, "-o", "jsonpath={.metadata.uid}")
    if job.code == 0:
        assert system.job(name).read()["status"]["phase"] == "Failed"
        deadline = time.monotonic() + 30
        while live := [each["metadata"]["name"] for each in agent_pods(system, job.out) if is_live(each)]:
            assert time.monotonic() < deadline, live
            time.sleep(0.2)
    return answer


def is_live(agent: Json) -> bool:
    return agent["status"]["phase"] in ("Pending", "Running")


def test_a_syntax_error_shows_the_line_and_the_place(web: System) -> None:
    answer = refuse(web, "pod/web", "tracepoint:syscalls:sys_enter_openat { @ = ; }", name="syntax")
    assert answer.code == PROGRAM_ERROR
    assert "tracepoint:syscalls:sys_enter_openat { @ = ; }" in answer.err
    assert "~" in answer.err


def test_a_type_error_says_what_does_not_fit(web: System) -> None:
    answer = refuse(web, "pod/web", 'BEGIN { $x = 1; $x = "text"; }', name="type")
    assert answer.code == PROGRAM_ERROR
    assert "$x" in answer.err


def test_an_unknown_probe_is_named(web: System) -> None:
    answer = refuse(web, "pod/web", "tracepoint:syscalls:sys_enter_opennat { @ = count(); }", name="unknown-probe")
    assert answer.code == PROGRAM_ERROR
    assert "sys_enter_opennat" in answer.err


def test_a_probe_type_that_this_kernel_lacks_is_said_to_be_missing(web: System) -> None:
    if Path("/sys/bus/event_source/devices/kprobe").exists():
        pytest.skip("this kernel has kprobes")
    answer = refuse(web, "pod/web", "kprobe:vfs_read { @ = count(); }", name="no-kprobe")
    assert answer.code == PROGRAM_ERROR
    assert "kernel" in answer.err


def test_no_such_pod(web: System) -> None:
    answer = refuse(web, "pod/nobody", COUNT, name="no-such-pod")
    assert answer.code == NO_TARGET
    assert "nobody" in answer.err


def test_a_pod_that_does_not_run(web: System) -> None:
    answer = refuse(web, "pod/unborn", COUNT, name="not-running")
    assert answer.code == NO_TARGET
    assert "unborn" in answer.err
    assert "running" in answer.err.lower()


def test_a_container_that_the_pod_has_not(web: System) -> None:
    answer = refuse(web, "pod/web", COUNT, "-c", "sidecar", name="no-container")
    assert answer.code == NO_TARGET
    assert "sidecar" in answer.err
    assert "main" in answer.err, "says which containers there are"


def test_a_program_that_is_too_large(web: System, tmp_path: Path) -> None:
    program = tmp_path / "large.bt"
    program.write_text(COUNT + "\n" + "// " + "x" * 70_000)
    answer = web.trace("run", "pod/web", "-f", str(program), "--name", "large")
    assert answer.code in (USAGE, PROGRAM_ERROR)
    assert "65536" in answer.err, "says how much it may be"
    assert web.kubectl("get", "tracejob", "large").code != 0


def test_an_api_server_that_is_out_of_reach(web: System, tmp_path: Path) -> None:
    lost = with_login(web, tmp_path / "lost.kubeconfig", login={"token": "none"}, server="https://127.0.0.1:1")
    answer = lost.trace("run", "pod/web", "-e", COUNT, "--name", "lost")
    assert answer.code == USAGE
    assert "127.0.0.1:1" in answer.err
    assert "Traceback" not in answer.err


def test_credentials_that_the_api_server_refuses(web: System, tmp_path: Path) -> None:
    stranger = with_login(web, tmp_path / "stranger.kubeconfig", login={"token": "forged"})
    answer = stranger.trace("run", "pod/web", "-e", COUNT, "--name", "stranger")
    assert answer.code == USAGE
    assert "Traceback" not in answer.err
    assert answer.err.strip()


@pytest.mark.alone
def test_an_image_that_the_node_has_not(web: System) -> None:
    if not web.ours:
        pytest.skip("takes an image away from a node, which only our own kind cluster allows")
    node = NodeShell(web.get("pod", "web")["spec"]["nodeName"])
    image = "docker.io/tracejob/node-agent:dev"
    ctr = "ctr --namespace k8s.io images"
    node.run(f"{ctr} tag {image} tracejob.test/kept:aside && {ctr} rm {image}")
    try:
        answer = refuse(web, "pod/web", COUNT, "--start-timeout", "8s", name="no-image")
        assert answer.code == TIMED_OUT
        assert "image" in answer.err.lower()
        assert "tracejob/node-agent:dev" in answer.err
    finally:
        node.run(f"{ctr} tag tracejob.test/kept:aside {image} && {ctr} rm tracejob.test/kept:aside")
