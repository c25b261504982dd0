"""Targets are found in directory trees as kubelet, kind, CRI-O and Docker make them; processes by what /proc shows."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tracejob_agent.errors import TargetError
from tracejob_agent.target.cgroups import CgroupTree, container_id, mounted_trees, processes
from tracejob_agent.target.processes import ProcessMatch, inner_pid, named, root_folders
from tracejob_agent.target.scope import slots_for

UID = "cddd5940-e52b-4eeb-852a-59746510892b"
SLICE_UID = UID.replace("-", "_")
ID = "320e03cbb447eabfb213dc82b47c6685fc7dd377828a9c18c5e26dd4559f8a90"

POD_FOLDERS = {
    "cgroupfs, guaranteed": f"kubepods/pod{UID}",
    "cgroupfs, burstable": f"kubepods/burstable/pod{UID}",
    "systemd": f"kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod{SLICE_UID}.slice",
    "systemd, guaranteed": f"kubepods.slice/kubepods-pod{SLICE_UID}.slice",
    "kind": (
        "kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-besteffort.slice/"
        f"kubelet-kubepods-besteffort-pod{SLICE_UID}.slice"
    ),
    "kind, seen from its host": (
        f"docker/{'4e' * 32}/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-burstable.slice/"
        f"kubelet-kubepods-burstable-pod{SLICE_UID}.slice"
    ),
}
CONTAINER_FOLDERS = {
    "containerd, cgroupfs": ID,
    "containerd, systemd": f"cri-containerd-{ID}.scope",
    "CRI-O": f"crio-{ID}.scope",
    "Docker, systemd": f"docker-{ID}.scope",
}


@pytest.mark.parametrize("pod", POD_FOLDERS.values(), ids=POD_FOLDERS)
@pytest.mark.parametrize("container", CONTAINER_FOLDERS.values(), ids=CONTAINER_FOLDERS)
def test_a_pod_and_its_container_are_found_in_every_spelling(tmp_path: Path, pod: str, container: str) -> None:
    (tmp_path / pod / container).mkdir(parents=True)
    (tmp_path / "kubepods" / "burstable" / f"pod{UID[:-1]}c").mkdir(parents=True)
    (tmp_path / pod / f"crio-conmon-{ID}.scope").mkdir()
    tree = CgroupTree((tmp_path,))
    assert tree.pods([UID]) == {UID: tmp_path / pod}
    assert tree.containers([ID], below=tmp_path / pod) == {ID: tmp_path / pod / container}
    assert tree.containers([ID[:12]]) == {ID[:12]: tmp_path / pod / container}


def test_a_pod_that_is_not_here_is_left_out(tmp_path: Path) -> None:
    (tmp_path / f"kubepods/pod{UID}").mkdir(parents=True)
    other = "11111111-2222-3333-4444-555555555555"
    assert CgroupTree((tmp_path,)).pods([UID, other]) == {UID: tmp_path / f"kubepods/pod{UID}"}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (f"cri-containerd-{ID}.scope", ID),
        (ID[:12], ID[:12]),
        (f"crio-conmon-{ID}.scope", ""),
        ("init.scope", ""),
        ("system.slice", ""),
        ("deadbeef", ""),
    ],
)
def test_a_container_s_id_is_read_from_its_folder_s_name(name: str, expected: str) -> None:
    assert container_id(name) == expected


HYBRID = """\
30 29 0:26 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755
31 30 0:27 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw
32 30 0:28 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids
"""
UNIFIED = "31 30 0:27 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n"
PURE_V1 = """\
31 30 0:27 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd
32 30 0:28 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct
33 30 0:29 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
34 30 0:29 / /host/memory rw - cgroup cgroup rw,memory
"""
SYSTEMD_ONLY = "31 30 0:27 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd\n"
V2 = ("", ["/sys/fs/cgroup"])


@pytest.mark.parametrize(
    ("mounts", "ignore_v2", "expected"),
    [
        (HYBRID, False, [("", ["/sys/fs/cgroup/unified"]), ("pids", ["/sys/fs/cgroup/pids"])]),
        (HYBRID, True, [("pids", ["/sys/fs/cgroup/pids"])]),
        (UNIFIED, False, [V2]),
        (PURE_V1, False, [("memory", ["/host/memory", "/sys/fs/cgroup/memory"])]),
        (PURE_V1.replace("memory", "other"), False, [("cpu", ["/sys/fs/cgroup/cpu,cpuacct"])]),
        (SYSTEMD_ONLY, False, []),
    ],
    ids=["hybrid", "hybrid as v1", "v2 only", "v1 only", "v1 with two controllers in one", "no controller"],
)
def test_hierarchies_are_found_where_they_are_mounted(
    mounts: str, ignore_v2: bool, expected: list[tuple[str, list[str]]]
) -> None:
    found = mounted_trees(mounts, ignore_v2=ignore_v2)
    assert [(tree.hierarchy, [str(root) for root in tree.roots]) for tree in found] == expected


def test_a_node_without_cgroups_is_refused_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "mountinfo").write_text(SYSTEMD_ONLY)
    with pytest.raises(TargetError, match="needs the node's /sys/fs/cgroup"):
        CgroupTree.all_of_this_machine(tmp_path / "mountinfo")


def test_a_hierarchy_that_is_mounted_twice_is_walked_once(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "two").symlink_to(tmp_path / "one")
    line = "31 30 0:27 / {} rw - cgroup2 cgroup2 rw\n"
    (tmp_path / "mountinfo").write_text("".join(line.format(tmp_path / name) for name in ("one", "a/two", "gone")))
    (tree,) = CgroupTree.all_of_this_machine(tmp_path / "mountinfo")
    assert tree.roots == (tmp_path / "one",)


def test_processes_of_nested_cgroups_belong_to_the_pod(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "cgroup.procs").write_text("1\n2\n")
    (tmp_path / "a" / "b" / "cgroup.procs").write_text("0\n3\n")
    assert sorted(processes(tmp_path)) == [1, 2, 3]


def test_a_process_is_matched_by_all_that_is_given() -> None:
    me = os.getpid()
    comm = Path("/proc/self/comm").read_text().strip()
    assert ProcessMatch(pid=inner_pid(me), comm=comm, exe="python3*").holds(me)
    assert not ProcessMatch(pid=inner_pid(me), comm="other").holds(me)
    assert not ProcessMatch(cmdline="*no such words*").holds(me)
    assert not ProcessMatch(comm=comm).holds(2**22 + 1)
    assert me in named(comm)


def test_each_mount_namespace_is_entered_once() -> None:
    roots = root_folders([os.getpid(), os.getppid(), 2**22 + 1])
    assert roots == {os.getpid(): Path(f"/proc/{os.getpid()}/root")}


def test_slots_leave_room_and_are_the_same_for_most_jobs() -> None:
    assert [slots_for(count) for count in (1, 16, 17, 100, 1000)] == [32, 32, 64, 256, 256]
