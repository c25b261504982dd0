"""What a test can only do on a node itself: the nodes of our kind cluster are Docker containers."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from e2e.system import CommandFailed, System


@dataclass(frozen=True, slots=True)
class NodeShell:
    name: str

    def run(self, script: str) -> str:
        docker = "/usr/bin/docker" if Path("/usr/bin/docker").exists() else "docker"
        command = [docker, "exec", "-i", self.name, "bash", "-euc", script]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        if done.returncode != 0:
            raise CommandFailed(f"on {self.name}: {script}\n{done.stdout}{done.stderr}")
        return done.stdout

    def run_in_nested_cgroup(self, system: System, *, pod: str, command: Sequence[str]) -> None:
        """Run the workload's program in the pod's name spaces, one cgroup below its container's."""
        state = system.get("pod", pod)["status"]["containerStatuses"][0]
        identity = state["containerID"].partition("://")[2]
        self.run(f"""
            pid=$(ctr --namespace k8s.io tasks list | awk '$1 == "{identity}" {{ print $2 }}')
            path=$(awk -F: '$1 == 0 {{ print $3 }}' /proc/$pid/cgroup)
            for root in /sys/fs/cgroup/unified /sys/fs/cgroup; do [ -e "$root/cgroup.procs" ] && break; done
            nested=$root$path/nested
            mkdir -p "$nested"
            bash -c 'echo $$ >"$1/cgroup.procs"; shift; exec "$@"' nested "$nested" \
                nsenter --target $pid --mount --pid /workload {shlex.join(command)}
            rmdir "$nested"
        """)


def node_shell(system: System, *, pod: str) -> NodeShell:
    """A shell on the pod's node."""
    if not system.ours:
        pytest.skip("needs a shell on the node, which only our own kind cluster gives")
    return NodeShell(system.get("pod", pod)["spec"]["nodeName"])
