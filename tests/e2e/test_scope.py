"""Only the target is traced, and all of it: neighbours never, late and nested processes always."""

from __future__ import annotations

import time

import pytest

from e2e.nodes import node_shell
from e2e.pods import container, pod
from e2e.system import System, entries, scalar

COUNT_OPENS = "tracepoint:syscalls:sys_enter_openat { @[comm] = count(); }"


@pytest.fixture(scope="module")
def busy(space: System, nodes: list[str]) -> System:
    """Pods on one node: `web`, which is traced; `noisy`, its neighbour, which never rests; `two`, of two containers."""
    node = nodes[-1]
    space.apply(
        pod("web", node=node),
        pod("noisy", node=node, containers=[container(arguments=["forever"])]),
        pod("two", node=node, containers=[container("main"), container("other")]),
    ).ok()
    space.kubectl("wait", "--for=condition=Ready", "pod", "--all", "--timeout=60s").ok()
    return space


def test_nothing_of_a_noisy_neighbour_is_counted(busy: System) -> None:
    job = busy.start("pod/web", COUNT_OPENS, name="quiet")
    busy.workload("web", "open", "500", "counted")
    time.sleep(1)  # the neighbour opens about a thousand files meanwhile
    status = job.stop()
    assert scalar(status, "@", "counted") == 500
    assert ("workload",) not in entries(status, "@"), "the neighbour runs under this name"


def test_the_neighbour_itself_is_seen_when_it_is_the_target(busy: System) -> None:
    """The counterpart: what the test above doesn't see is there to be seen."""
    job = busy.start("pod/noisy", COUNT_OPENS, name="loud")
    time.sleep(1)
    assert scalar(job.stop(), "@", "workload") > 100


def test_a_child_process_is_seen(busy: System) -> None:
    job = busy.start("pod/web", COUNT_OPENS, name="child")
    busy.workload("web", "fork", "321")
    assert scalar(job.stop(), "@", "workload") == 321


def test_only_the_named_container_is_seen(busy: System) -> None:
    job = busy.start("pod/two", COUNT_OPENS, "-c", "other", name="named")
    busy.workload("two", "open", "10", "in-main", container="main")
    busy.workload("two", "open", "20", "in-other", container="other")
    status = job.stop()
    assert scalar(status, "@", "in-other") == 20
    assert ("in-main",) not in entries(status, "@")


def test_all_containers_are_seen_when_none_is_named(busy: System) -> None:
    job = busy.start("pod/two", COUNT_OPENS, name="unnamed")
    busy.workload("two", "open", "10", "in-main", container="main")
    busy.workload("two", "open", "20", "in-other", container="other")
    status = job.stop()
    assert (scalar(status, "@", "in-main"), scalar(status, "@", "in-other")) == (10, 20)


def test_a_restarted_container_is_seen(busy: System) -> None:
    busy.apply(pod("phoenix")).ok()
    busy.kubectl("wait", "--for=condition=Ready", "pod/phoenix", "--timeout=60s").ok()
    job = busy.start("pod/phoenix", COUNT_OPENS, name="restarted")
    busy.workload("phoenix", "open", "11", "before")
    # Its process 1 dies, and with it this very command.
    busy.kubectl("exec", "phoenix", "-c", "main", "--", "/workload", "kill", "1")
    restarts = "jsonpath={.status.containerStatuses[0].restartCount}"
    busy.kubectl("wait", "pod/phoenix", f"--for={restarts}=1", "--timeout=60s").ok()
    busy.kubectl("wait", "--for=condition=Ready", "pod/phoenix", "--timeout=60s").ok()
    busy.workload("phoenix", "open", "22", "after")
    status = job.stop()
    assert (scalar(status, "@", "before"), scalar(status, "@", "after")) == (11, 22)


def test_a_process_in_a_nested_cgroup_is_seen(busy: System) -> None:
    shell = node_shell(busy, pod="web")
    job = busy.start("pod/web", COUNT_OPENS, name="nested")
    # A process that moved one level down from its container's own cgroup, as systemd or a runtime inside does it.
    shell.run_in_nested_cgroup(busy, pod="web", command=["open", "99", "nested"])
    assert scalar(job.stop(), "@", "nested") == 99


def test_a_uprobe_by_the_containers_path_counts_calls_and_reads_arguments(busy: System) -> None:
    program = "uprobe:/workload:traced_function { @calls = count(); @sum = sum(arg0); @last = max(arg0); }"
    job = busy.start("pod/web", program, name="uprobe")
    busy.workload("web", "call", "1000")
    status = job.stop()
    assert scalar(status, "@calls") == 1000
    assert scalar(status, "@sum") == 1000 * 999 // 2
    assert scalar(status, "@last") == 999


def test_a_uretprobe_reads_what_the_function_returned(busy: System) -> None:
    job = busy.start("pod/web", "uretprobe:/workload:traced_function { @top = max(retval); }", name="uretprobe")
    busy.workload("web", "call", "100")
    assert scalar(job.stop(), "@top") == 198


def test_a_uprobe_fires_for_the_target_only(busy: System) -> None:
    """Both containers of `two` run the same binary, from the same image and so from the same inode."""
    program = "uprobe:/workload:traced_function { @calls = count(); }"
    job = busy.start("pod/two", program, "-c", "other", name="uprobe-scope")
    busy.workload("two", "call", "70", container="main")
    busy.workload("two", "call", "30", container="other")
    assert scalar(job.stop(), "@calls") == 30


def test_pid_is_the_number_that_the_nodes_proc_shows(busy: System) -> None:
    shell = node_shell(busy, pod="noisy")
    job = busy.start("pod/noisy", "tracepoint:syscalls:sys_enter_openat { @[pid] = count(); }", name="pid")
    time.sleep(0.5)
    [[pid]] = entries(job.stop(), "@")
    assert shell.run(f"cat /proc/{pid}/comm").strip() == "workload"
    assert "forever" in shell.run(f"tr '\\0' ' ' </proc/{pid}/cmdline")
