"""The scope's maps keep neighbours out: cgroups with children, changes while running, PID namespaces."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from kernel.plans import CGROUPS, CGROUPS_MAP, HITS, HITS_MAP, attachment, compiled, plan, program
from tracejob_agent.bpf.loader import LoadedPlan, load
from tracejob_agent.bpf.maps import BpfMap, sum_of_cpus
from tracejob_agent.errors import TargetError
from tracejob_agent.kernel.host_facts import HostFacts
from tracejob_agent.probes.attach import AttachedProbes
from tracejob_agent.probes.environment import Environment
from tracejob_agent.target.cgroups import CgroupTree
from tracejob_agent.target.pid_namespace import pid_namespace_level
from tracejob_agent.target.scope import CgroupScope
from tracelang.plan import ProgramType

pytestmark = pytest.mark.usefixtures("nothing_left")

SCOPED = """
PROGRAM(tj_scoped)(void *ctx) {
  for (u32 slot = 0; slot < 4; slot++) {
    long under = bpf_current_task_under_cgroup(MAP(2), slot);
    if (under == 1) {
      count(1);
      return 0;
    }
    if (under < 0)
      return 0;
  }
  return 0;
}
"""
CALLS = 300
WORK = f"import os\nfor _ in range({CALLS}): os.getpgid(0)"


@pytest.fixture
def cgroups() -> Iterator[Path]:
    """A cgroup of the test's own, with pods a, b, c and a nested group in a."""
    base = CgroupTree.of_this_machine().roots[0] / f"tj-test-{os.getpid()}"
    folders = [base, base / "a", base / "a" / "nested", base / "b", base / "c"]
    for folder in folders:
        folder.mkdir()
    yield base
    for folder in reversed(folders):
        folder.rmdir()


def call_in(folder: Path) -> None:
    def enter() -> None:
        (folder / "cgroup.procs").write_text(str(os.getpid()))

    subprocess.run([sys.executable, "-S", "-c", WORK], check=True, preexec_fn=enter)


@pytest.fixture(scope="module")
def functions() -> dict[str, bytes]:
    return compiled(SCOPED, "tj_scoped")


def test_only_the_target_s_calls_count_while_it_changes(cgroups: Path, functions: dict[str, bytes]) -> None:
    place = attachment("tracepoint", target="syscalls", function="sys_enter_getpgid")
    plan_ = plan(program("tj_scoped", ProgramType.TRACEPOINT, place), maps=(HITS_MAP, CGROUPS_MAP))
    with load(plan_, functions) as loaded, AttachedProbes() as probes:
        scope = CgroupScope(loaded.maps[CGROUPS])
        scope.update([cgroups / "a"])
        probes.attach(loaded, Environment())
        assert calls(loaded, cgroups / "a") == CALLS
        assert calls(loaded, cgroups / "a" / "nested") == CALLS
        assert calls(loaded, cgroups / "b") == 0
        scope.update([cgroups / "b", cgroups / "c"])
        assert [calls(loaded, cgroups / name) for name in "abc"] == [0, CALLS, CALLS]
        scope.update([cgroups / "c"])
        assert [calls(loaded, cgroups / name) for name in "abc"] == [0, 0, CALLS]
        scope.update([])
        assert [calls(loaded, cgroups / name) for name in "abc"] == [0, 0, 0]


def calls(loaded: LoadedPlan, folder: Path) -> int:
    before = hits(loaded)
    call_in(folder)
    return hits(loaded) - before


def hits(loaded: LoadedPlan) -> int:
    return sum_of_cpus(loaded.maps[HITS].lookup((1).to_bytes(8, "little")) or ())


def test_a_scope_never_has_a_hole_and_skips_what_is_gone(cgroups: Path) -> None:
    array = BpfMap(CGROUPS_MAP)
    try:
        scope = CgroupScope(array)
        a, b, c = (cgroups / name for name in "abc")
        scope.update([a, b, c])
        assert scope.directories == (a, b, c)
        scope.update([b, c, cgroups / "gone"])
        assert sorted(scope.directories) == [b, c]
        scope.update([a, cgroups])
        assert sorted(scope.directories) == [cgroups, a]
        with pytest.raises(TargetError, match="5 targets"):
            scope.update([a, b, c, cgroups, a / "nested"])
    finally:
        array.close()


def test_the_level_of_the_pid_namespace_is_asked_from_the_kernel() -> None:
    """A child namespace lies one level deeper; in it the number isn't known from the inode."""
    here = pid_namespace_level(HostFacts())
    script = (
        "from tracejob_agent.kernel.host_facts import HostFacts\n"
        "from tracejob_agent.target.pid_namespace import pid_namespace_level\n"
        "print(pid_namespace_level(HostFacts()))"
    )
    command = ["unshare", "--pid", "--fork", "--mount-proc", sys.executable, "-c", script]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    assert int(done.stdout) == here + 1
