"""The targets of agents and local runs, as symbols see them: which processes belong to them, and their file systems."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from tracejob_agent.target.processes import root_folders


class Processes:
    """pids: the target's processes now."""

    def __init__(self, pids: Callable[[], Iterable[int]]) -> None:
        self._pids = pids

    def covers(self, pid: int) -> bool | None:
        return pid in self._pids()

    def roots(self) -> Iterable[Path]:
        return root_folders(self._pids()).values()


class Cgroups:
    """folders: the target's cgroups now; their names (a pod's uid, a container's id) aren't anybody else's."""

    def __init__(self, folders: Callable[[], Iterable[Path]], pids: Callable[[], Iterable[int]]) -> None:
        self._folders = folders
        self._pids = pids

    def covers(self, pid: int) -> bool | None:
        try:
            text = Path(f"/proc/{pid}/cgroup").read_text()
        except OSError:
            return None
        return any(f"/{folder.name}" in text for folder in self._folders())

    def roots(self) -> Iterable[Path]:
        return root_folders(self._pids()).values()
