"""Processes as /proc shows them: which match a filter, which file systems they live in."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class ProcessMatch:
    """All that is given must hold. pid: in the process's own PID namespace; exe, cmdline: globs."""

    pid: int | None = None
    comm: str | None = None
    exe: str | None = None
    cmdline: str | None = None

    @property
    def is_empty(self) -> bool:
        return self == ProcessMatch()

    def holds(self, pid: int, proc: Path = PROC) -> bool:
        """Whether process `pid` (its number here) matches; False when it is gone."""
        folder = proc / str(pid)
        try:
            return (
                (self.pid is None or inner_pid(pid, proc) == self.pid)
                and (self.comm is None or (folder / "comm").read_text().rstrip("\n") == self.comm)
                and (self.exe is None or _matches_path(str((folder / "exe").readlink()), self.exe))
                and (self.cmdline is None or fnmatch.fnmatchcase(command_line(folder), self.cmdline))
            )
        except OSError:
            return False


def inner_pid(pid: int, proc: Path = PROC) -> int | None:
    """What the process itself takes for its number: the last of its PIDs by namespace."""
    try:
        for line in (proc / str(pid) / "status").read_text().splitlines():
            if line.startswith("NSpid:"):
                return int(line.split()[-1])
    except OSError:
        pass
    return None


def command_line(folder: Path) -> str:
    return (folder / "cmdline").read_bytes().rstrip(b"\0").replace(b"\0", b" ").decode(errors="replace")


def all_pids(proc: Path = PROC) -> Iterator[int]:
    for entry in proc.iterdir():
        if entry.name.isdigit():
            yield int(entry.name)


def named(comm: str, proc: Path = PROC) -> list[int]:
    """Processes whose name is `comm`."""
    match = ProcessMatch(comm=comm)
    return [pid for pid in all_pids(proc) if match.holds(pid, proc)]


def root_folders(pids: Iterable[int], proc: Path = PROC) -> dict[int, Path]:
    """One process and its root folder for each mount namespace among `pids`: each container's file system once."""
    seen: set[str] = set()
    roots: dict[int, Path] = {}
    for pid in pids:
        try:
            namespace = str((proc / str(pid) / "ns/mnt").readlink())
        except OSError:
            continue
        if namespace not in seen:
            seen.add(namespace)
            roots[pid] = proc / str(pid) / "root"
    return roots


def _matches_path(path: str, pattern: str) -> bool:
    return fnmatch.fnmatchcase(path, pattern) or (
        "/" not in pattern and fnmatch.fnmatchcase(path.rpartition("/")[2], pattern)
    )
