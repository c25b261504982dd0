"""The agent on each kind of node: cgroup v2 only, v1 only, hybrid, and hybrid with pods that are in v1 alone.

A node with one kind is a mount namespace in which the other's mounts are gone: the agent looks at mounts only.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from kernel.agents import Pod, RunningAgent, agent, map_values, pod, request
from tracejob_agent.target.cgroups import CgroupTree
from tracejob_api import records

CALLS = 300
LOOP = f"for _ in range({CALLS}): os.getpgid(0)"
WORK = f"import os\n{LOOP}"
FORK = f"import os\nif os.fork() == 0:\n  {LOOP}\nelse: os.wait()"
COUNT = """
tracepoint:syscalls:sys_enter_getpgid { @calls = count(); @by[namespace, pod, container] = count(); }
tracepoint:syscalls:sys_enter_getpgid { @ids[cgroup] = count(); }
"""
_UNMOUNT_ALL = "awk '/ - cgroup/ { print $5 }' /proc/self/mountinfo | tac | xargs -r umount -l; "
_TMPFS = "mount -t tmpfs none /sys/fs/cgroup && mkdir /sys/fs/cgroup/pids /sys/fs/cgroup/systemd && "


@dataclass(frozen=True)
class Node:
    """tree: 0 is v2, -1 v1; setup: shell commands that change what the agent sees of its node."""

    tree: int
    setup: str = ""

    @property
    def within(self) -> tuple[str, ...]:
        if not self.setup:
            return ()
        return ("unshare", "--mount", "--propagation", "private", "sh", "-ec", f'{self.setup}; exec "$@"', "sh")


NODES = {
    "hybrid": Node(0),
    "hybrid, pods in v1 only": Node(-1),
    "v2 only": Node(0, f"{_UNMOUNT_ALL} mount -t cgroup2 none /sys/fs/cgroup"),
    "v1 only": Node(-1, f"{_UNMOUNT_ALL} {_TMPFS} mount -t cgroup -o pids none /sys/fs/cgroup/pids"),
}


@pytest.fixture(params=NODES.values(), ids=NODES)
def node(request: pytest.FixtureRequest) -> Node:
    found: Node = request.param
    return found


@pytest.fixture
def pods(node: Node) -> Iterator[tuple[Pod, Pod]]:
    """A target and its neighbour."""
    tree = CgroupTree.all_of_this_machine()[node.tree]
    with pod(tree=tree) as target, pod("neighbour", tree=tree) as neighbour:
        yield target, neighbour


def test_the_target_counts_exactly_and_its_neighbour_not_at_all(
    node: Node, pods: tuple[Pod, Pod], tmp_path: Path
) -> None:
    target, neighbour = pods
    with agent(request(COUNT, target.target), tmp_path, within=node.within) as running:
        running.attached()
        target.run(WORK)
        neighbour.run(WORK)
        nested = target.container / "nested"
        nested.mkdir()
        target.run(WORK, folder=nested)
        target.run(FORK)
        running.process.send_signal(signal.SIGTERM)
        result = running.result()
        ids = {target.container.stat().st_ino: 2 * CALLS, nested.stat().st_ino: CALLS}
    assert map_values(result, "@calls") == {(): 3 * CALLS}
    assert map_values(result, "@by") == {("shop", "web", "main"): 3 * CALLS}
    assert map_values(result, "@ids") == {(number,): count for number, count in ids.items()}


def test_targets_change_and_end(node: Node, pods: tuple[Pod, Pod], tmp_path: Path) -> None:
    """A new one by the request, a container that is made again, the end when all are gone."""
    first, second = pods
    made = request(COUNT, first.target)
    with ExitStack() as stack:
        running: RunningAgent = stack.enter_context(agent(made, tmp_path, within=node.within))
        running.attached()
        second.run(WORK)
        running.ask(request(COUNT, first.target, second.target))
        running.wait_for(records.TargetsRecord, lambda record: len(record.targets) == 2)
        second.run(WORK)
        for target in pods:
            target.run(WORK)
            target.container.rmdir()
            target.folder.rmdir()
        result = running.result()
        assert result.reason is records.EndReason.TARGETS_GONE
        assert map_values(result, "@calls") == {(): 3 * CALLS}
