"""The scope keeps neighbours out, in cgroup v2 and v1: cgroups with children, changes while running, PID namespaces."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tracejob_agent.bpf.loader import LoadedPlan, load
from tracejob_agent.bpf.maps import sum_of_cpus
from tracejob_agent.compilation import prepare_here
from tracejob_agent.errors import TargetError
from tracejob_agent.kernel.host_facts import HostFacts
from tracejob_agent.preparation import Prepared
from tracejob_agent.probes.attach import AttachedProbes
from tracejob_agent.probes.environment import Environment
from tracejob_agent.target.cgroups import IGNORE_V2, CgroupTree
from tracejob_agent.target.pid_namespace import pid_namespace_level
from tracejob_agent.target.scope import target_scope
from tracelang.plan import CompileOptions, ScopeOptions

pytestmark = pytest.mark.usefixtures("nothing_left")

PROGRAM = "tracepoint:syscalls:sys_enter_getpgid { @calls = count(); @by[cgroup] = count(); }"
CALLS = 300
WORK = f"import os\nfor _ in range({CALLS}): os.getpgid(0)"


@pytest.fixture(scope="module", params=["v2", "v1"])
def tree(request: pytest.FixtureRequest) -> CgroupTree:
    """The same in both kinds of hierarchy: v1 as a node without a unified mount would have it."""
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "v1":
            patch.setenv(IGNORE_V2, "1")
        try:
            found = CgroupTree.all_of_this_machine()[0]
        except TargetError:
            pytest.skip("this machine has cgroup v2 alone")
    if found.hierarchy and request.param == "v2":
        pytest.skip("this machine has cgroup v1 alone")
    assert bool(found.hierarchy) == (request.param == "v1")
    return found


@pytest.fixture(scope="module")
def prepared(tree: CgroupTree) -> Prepared:
    options = CompileOptions(scope=ScopeOptions("cgroups", 4, hierarchy=tree.hierarchy))
    return prepare_here(PROGRAM, name="program", facts=HostFacts(), options=options)


@pytest.fixture
def cgroups(tree: CgroupTree) -> Iterator[Path]:
    """A cgroup of the test's own, with pods a, b, c and two nested groups in a."""
    base = tree.roots[0] / f"tj-test-{os.getpid()}"
    folders = [base, base / "a", base / "a" / "nested", base / "a" / "nested" / "deep", base / "b", base / "c"]
    for folder in folders:
        folder.mkdir()
    yield base
    for folder in reversed(folders):
        folder.rmdir()


def call_in(folder: Path) -> None:
    def enter() -> None:
        (folder / "cgroup.procs").write_text(str(os.getpid()))

    subprocess.run([sys.executable, "-S", "-c", WORK], check=True, preexec_fn=enter)


def test_only_the_target_s_calls_count_while_it_changes(cgroups: Path, prepared: Prepared) -> None:
    with load(prepared.plan, prepared.functions) as loaded, AttachedProbes() as probes:
        scope = target_scope(loaded)
        assert scope is not None
        scope.update([cgroups / "a"])
        probes.attach(loaded, Environment())
        assert calls(loaded, cgroups / "a") == CALLS
        assert calls(loaded, cgroups / "a" / "nested") == CALLS
        assert calls(loaded, cgroups / "a" / "nested" / "deep") == CALLS
        assert calls(loaded, cgroups / "b") == 0
        scope.update([cgroups / "b", cgroups / "c"])
        assert [calls(loaded, cgroups / name) for name in "abc"] == [0, CALLS, CALLS]
        scope.update([cgroups / "c"])
        assert [calls(loaded, cgroups / name) for name in "abc"] == [0, 0, CALLS]
        scope.update([])
        assert [calls(loaded, cgroups / name) for name in "abc"] == [0, 0, 0]


def test_many_targets_come_and_go(tree: CgroupTree, cgroups: Path, prepared: Prepared) -> None:
    """What a program found out about a cgroup holds until the targets change, and no longer."""
    many = [cgroups / f"m{number}" for number in range(6)]
    for folder in many:
        folder.mkdir()
    options = CompileOptions(scope=ScopeOptions("cgroups", 8, hierarchy=tree.hierarchy))
    wide = prepare_here(PROGRAM, name="program", facts=HostFacts(), options=options)
    try:
        with load(wide.plan, wide.functions) as loaded, AttachedProbes() as probes:
            scope = target_scope(loaded)
            assert scope is not None
            probes.attach(loaded, Environment())
            steps = (many, many[:4], [*many[1:], cgroups / "a"], many[:5], many)
            for wanted in steps:
                scope.update(wanted)
                for _ in range(2):  # the second time it is known
                    found = {folder.name for folder in (*many, cgroups / "a", cgroups / "b") if calls(loaded, folder)}
                    assert found == {folder.name for folder in wanted}
                inside = calls(loaded, cgroups / "a" / "nested")
                assert inside == (CALLS if cgroups / "a" in wanted else 0)
    finally:
        for folder in many:
            folder.rmdir()


def calls(loaded: LoadedPlan, folder: Path) -> int:
    before = hits(loaded)
    call_in(folder)
    return hits(loaded) - before


def hits(loaded: LoadedPlan) -> int:
    return sum(sum_of_cpus(values) for _, values in loaded.by_name("calls").entries())


def test_a_task_s_own_cgroup_is_the_directory_s_inode(cgroups: Path, prepared: Prepared) -> None:
    with load(prepared.plan, prepared.functions) as loaded, AttachedProbes() as probes:
        scope = target_scope(loaded)
        assert scope is not None
        scope.update([cgroups])
        probes.attach(loaded, Environment())
        for name in ("a", "a/nested", "b"):
            call_in(cgroups / name)
        found = {int.from_bytes(key, "little"): sum_of_cpus(values) for key, values in loaded.by_name("by").entries()}
    assert found == {(cgroups / name).stat().st_ino: CALLS for name in ("a", "a/nested", "b")}


EACH_TYPE = """
rawtracepoint:sys_enter { @ = count(); }
tracepoint:syscalls:sys_enter_getpgid { @ = count(); }
profile:hz:49 { @ = count(); }
software:page-faults:100 { @ = count(); }
uprobe:libc:getpgid { @ = count(); }
uretprobe:libc:getpgid { @ = count(); }
interval:s:1 { print(@); }
"""


def test_programs_of_every_type_take_the_scope(tree: CgroupTree) -> None:
    options = CompileOptions(scope=ScopeOptions("cgroups", 4, hierarchy=tree.hierarchy))
    prepared = prepare_here(EACH_TYPE, name="program", facts=HostFacts(), options=options)
    with load(prepared.plan, prepared.functions) as loaded:
        assert len(loaded.programs) == EACH_TYPE.count("{")


def test_a_scope_never_has_a_hole_and_skips_what_is_gone(cgroups: Path, prepared: Prepared) -> None:
    with load(prepared.plan, prepared.functions) as loaded:
        scope = target_scope(loaded)
        assert scope is not None
        a, b, c = (cgroups / name for name in "abc")
        scope.update([a, b, c])
        assert sorted(scope.directories) == [a, b, c]
        scope.update([b, c, cgroups / "gone"])
        assert sorted(scope.directories) == [b, c]
        scope.update([a, cgroups])
        assert sorted(scope.directories) == [cgroups, a]
        with pytest.raises(TargetError, match="5 targets"):
            scope.update([a, b, c, cgroups, a / "nested"])


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
