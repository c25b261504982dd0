"""Where a pod's and a container's cgroup v2 directories are: names and ids in, folders of this machine out.

Pure reading of directories: the two spellings of kubelet (systemd slices and plain folders), kind's nested slices,
CRI-O and Docker all name a pod by its uid and a container by its id somewhere in a folder's name, so that is what is
looked for.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tracejob_agent.errors import TargetError

_DEEPEST = 10
# Runtimes' own helpers beside a container, which aren't in it.
_NOT_CONTAINERS = ("conmon", "cri-containerd-shim", "libpod-conmon")
_CONTAINER_NAME = re.compile(r"(?:^|[-:])([0-9a-f]{12,64})(?:\.scope)?$")


@dataclass(frozen=True, slots=True)
class CgroupTree:
    """The mounted cgroup v2 hierarchies, as this process sees them; more than one where a container has its own."""

    roots: tuple[Path, ...]

    @staticmethod
    def of_this_machine(mounts: Path = Path("/proc/self/mountinfo")) -> CgroupTree:
        """Raises TargetError on a pure v1 node, which has none."""
        roots = tuple(cgroup2_mounts(mounts.read_text()))
        if not roots:
            raise TargetError(
                "this node has no cgroup v2 hierarchy (pure cgroup v1), so that pods can't be told apart: "
                "mount one at /sys/fs/cgroup/unified, or boot with systemd.unified_cgroup_hierarchy=1"
            )
        return CgroupTree(roots)

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

    def of_process(self, pid: int) -> Path | None:
        """The directory that a process is in; None when it isn't visible from here."""
        try:
            lines = Path(f"/proc/{pid}/cgroup").read_text().splitlines()
        except OSError:
            return None
        for line in lines:
            if line.startswith("0::/"):
                for root in self.roots:
                    path = root / line[4:].removeprefix("../").rstrip("/")
                    if path.is_dir():
                        return path
        return None

    def _folders(self, roots: Iterable[Path] | None = None) -> Iterator[Path]:
        """All directories, the upper ones first."""
        level = list(roots if roots is not None else self.roots)
        for _ in range(_DEEPEST):
            following: list[Path] = []
            for folder in level:
                following.extend(_subfolders(folder))
            yield from following
            level = following


def cgroup2_mounts(mountinfo: str) -> Iterator[Path]:
    """Mount points of type cgroup2, the last mounted first: it lies over the others."""
    for line in reversed(mountinfo.splitlines()):
        before, _, after = line.partition(" - ")
        if after.startswith("cgroup2 "):
            yield Path(before.split()[4].encode().decode("unicode_escape"))


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
