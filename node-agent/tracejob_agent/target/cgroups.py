"""Where a pod's and a container's cgroup directories are: names and ids in, folders of this machine out.

Pure reading of directories: the two spellings of kubelet (systemd slices and plain folders), kind's nested slices,
CRI-O and Docker all name a pod by its uid and a container by its id somewhere in a folder's name, so that is what is
looked for.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tracejob_agent.errors import TargetError

_DEEPEST = 10
# Runtimes' own helpers beside a container, which aren't in it.
_NOT_CONTAINERS = ("conmon", "cri-containerd-shim", "libpod-conmon")
_CONTAINER_NAME = re.compile(r"(?:^|[-:])([0-9a-f]{12,64})(?:\.scope)?$")


IGNORE_V2 = "TRACEJOB_IGNORE_CGROUP_V2"
"""Set in the environment, a hybrid node is taken for a pure v1 one: for tests."""

_CONTROLLERS = ("pids", "memory", "cpu", "cpuacct", "freezer", "devices", "blkio", "cpuset")
"""Of v1, the first that is mounted is used: runtimes make a container's directory in all of them."""


@dataclass(frozen=True, slots=True)
class CgroupTree:
    """One hierarchy as this process sees it: its mount points, more than one where a container has its own.

    hierarchy: "" is cgroup v2, else a controller of v1.
    """

    roots: tuple[Path, ...]
    hierarchy: str = ""

    @staticmethod
    def all_of_this_machine(mounts: Path = Path("/proc/self/mountinfo")) -> tuple[CgroupTree, ...]:
        """cgroup v2 first, then v1. Of hybrid nodes older container runtimes use only v1.

        Raises TargetError where none is mounted.
        """
        trees = tuple(mounted_trees(mounts.read_text(), ignore_v2=bool(os.environ.get(IGNORE_V2))))
        if not trees:
            raise TargetError(
                "no cgroup hierarchy is mounted here, so that pods can't be told apart: "
                "the agent needs the node's /sys/fs/cgroup"
            )
        return tuple(CgroupTree(_each_once(tree.roots), tree.hierarchy) for tree in trees)

    def pods(self, uids: Iterable[str]) -> dict[str, Path]:
        """The directory of each pod that is on this node, by uid."""
        wanted = set(uids)
        spellings = {spelling: uid for uid in wanted for spelling in (uid, uid.replace("-", "_"))}
        found: dict[str, Path] = {}
        for path in self._folders():
            uid = spellings.get(_pod_uid(path.name))
            if uid is not None:
                found.setdefault(uid, path)
                if len(found) == len(wanted):
                    break
        return found

    def containers(self, ids: Iterable[str], *, below: Path | None = None) -> dict[str, Path]:
        """The directory of each container that runs, by the id as it was given (a prefix of 12 digits is enough)."""
        wanted = tuple(ids)
        found: dict[str, Path] = {}
        for path in self._folders((below,) if below else self.roots):
            full = container_id(path.name)
            for item in wanted:
                if full and full.startswith(item):
                    found.setdefault(item, path)
            if len(found) == len(wanted):
                break
        return found

    def _folders(self, roots: Iterable[Path] | None = None) -> Iterator[Path]:
        """All directories, the upper ones first."""
        level = list(roots if roots is not None else self.roots)
        for _ in range(_DEEPEST):
            following: list[Path] = []
            for folder in level:
                following.extend(_subfolders(folder))
            yield from following
            level = following


def mounted_trees(mountinfo: str, *, ignore_v2: bool = False) -> Iterator[CgroupTree]:
    """The hierarchies of a /proc/PID/mountinfo. Mount points the last mounted first: it lies over the others."""
    unified: list[Path] = []
    by_controller: dict[str, list[Path]] = {}
    for line in reversed(mountinfo.splitlines()):
        before, _, after = line.partition(" - ")
        if not after.startswith("cgroup"):
            continue
        kind, _, options = after.split(" ", 2)
        path = Path(before.split()[4].encode().decode("unicode_escape"))
        if kind == "cgroup2":
            unified.append(path)
        else:
            for controller in options.split(","):
                by_controller.setdefault(controller, []).append(path)
    if unified and not ignore_v2:
        yield CgroupTree(tuple(unified))
    chosen = next((name for name in _CONTROLLERS if name in by_controller), None)
    if chosen is not None:
        yield CgroupTree(tuple(by_controller[chosen]), chosen)


def container_id(name: str) -> str:
    """The id in a container's folder name ("cri-containerd-<id>.scope", "crio-<id>.scope", "<id>"); "" without one."""
    if any(helper in name for helper in _NOT_CONTAINERS):
        return ""
    match = _CONTAINER_NAME.search(name)
    return match[1] if match else ""


def processes(folder: Path) -> list[int]:
    """All processes in a cgroup and below, by their number here (those that this process can't see are left out)."""
    found: list[int] = []
    for path, _, _ in os.walk(folder):
        try:
            text = (Path(path) / "cgroup.procs").read_text()
        except OSError:
            continue  # gone, or a threaded cgroup: its processes are listed further up
        found.extend(int(line) for line in text.split() if line != "0")
    return found


def _pod_uid(name: str) -> str:
    """ "pod<uid>" and "kubelet-kubepods-besteffort-pod<uid>.slice" -> uid as it is spelled there."""
    return name.removesuffix(".slice").rpartition("pod")[2]


def _subfolders(folder: Path) -> list[Path]:
    try:
        with os.scandir(folder) as entries:
            return [folder / entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
    except OSError:
        return []  # gone in between


def _each_once(roots: tuple[Path, ...]) -> tuple[Path, ...]:
    """A hierarchy may be mounted in many places; walking one of them, with the shortest path, is enough."""
    found: dict[tuple[int, int], Path] = {}
    for root in sorted(roots, key=lambda path: len(path.parts)):
        with suppress(OSError):
            status = root.stat()
            found.setdefault((status.st_dev, status.st_ino), root)
    return tuple(root for root in roots if root in found.values())
