"""The target, written into the scope's maps: directories and processes in, entries out. Works on a running session."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from tracejob_agent.bpf.loader import LoadedPlan
from tracejob_agent.bpf.maps import BpfMap
from tracejob_agent.errors import TargetError
from tracelang.plan import MapRole
from tracelang.pseudo import Constant

_SLOTS_AT_LEAST = 32
_SLOTS_AT_MOST = 256


def slots_for(targets: int) -> int:
    """Room for `targets` and as many more: a power of two, so that the byte code is the same for most jobs."""
    slots = _SLOTS_AT_LEAST
    while slots < min(targets * 2, _SLOTS_AT_MOST):
        slots *= 2
    return slots


class TargetScope(Protocol):
    """Directories that a session traces."""

    @property
    def directories(self) -> tuple[Path, ...]: ...

    @property
    def room(self) -> int: ...

    def update(self, wanted: Iterable[Path]) -> None:
        """Makes these the target. Raises TargetError when they are too many; those that are gone are left out."""


def target_scope(loaded: LoadedPlan) -> TargetScope | None:
    """Of a plan with targets: by directory on cgroup v2, by the directory's id on v1."""
    array, ids = loaded.by_role(MapRole.SCOPE_CGROUPS), loaded.by_role(MapRole.SCOPE_CGROUP_IDS)
    if array is not None:
        return CgroupScope(
            array, known=loaded.by_role(MapRole.SCOPE_KNOWN), constants=loaded.by_role(MapRole.CONSTANTS)
        )
    return CgroupIdScope(ids) if ids is not None else None


class CgroupScope:
    """The cgroup array. Programs read it from slot 0 to the first empty one, so it has no holes at any moment.

    A directory that stays keeps its slot, unless it is the last one and fills a hole. Programs keep what they found out
    about a task's cgroup (`known`); `constants` tells them which generation of targets this is.
    """

    def __init__(self, array: BpfMap, *, known: BpfMap | None = None, constants: BpfMap | None = None) -> None:
        self._array = array
        self._known = known
        self._constants = constants
        self._generation = 0
        self._slots: list[Path] = []

    @property
    def directories(self) -> tuple[Path, ...]:
        return tuple(self._slots)

    @property
    def room(self) -> int:
        return self._array.spec.max_entries

    def update(self, wanted: Iterable[Path]) -> None:
        wanted_set = dict.fromkeys(wanted)
        before = set(self._slots)
        _check_room(len(wanted_set), self.room)
        added = [path for path in wanted_set if path not in self._slots]
        for slot in range(len(self._slots) - 1, -1, -1):
            if self._slots[slot] in wanted_set:
                continue
            if added and self._put(slot, added[-1]):
                added.pop()
            else:
                self._fill_hole(slot)
        for path in added:
            self._put(len(self._slots), path)
        if before != set(self._slots):
            self._forget()

    def _forget(self) -> None:
        """Last of all: a program that is at it yet keeps what it found by the old slots under the old number.

        The old answers go too, since programs compare the number's last 16 bits only.
        """
        if self._known is None or self._constants is None:
            return
        self._generation += 1
        self._constants.update(struct.pack("<I", Constant.SCOPE_GENERATION), struct.pack("<Q", self._generation))
        if self._generation == 1:  # nothing runs yet
            return
        for index in range(self._known.spec.max_entries):
            self._known.update(struct.pack("<I", index), bytes(8))

    def _put(self, slot: int, path: Path) -> bool:
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError:
            return False  # the target ended in between
        try:
            self._array.update(struct.pack("<I", slot), struct.pack("<I", descriptor))
        finally:
            os.close(descriptor)
        self._slots[slot : slot + 1] = [path]
        return True

    def _fill_hole(self, slot: int) -> None:
        """The last entry moves into the slot, then goes from its old place: it is never missing."""
        last = len(self._slots) - 1
        if slot != last:
            self._put(slot, self._slots[last])
        self._array.delete(struct.pack("<I", last))
        del self._slots[last]


class CgroupIdScope:
    """The hash of cgroup ids, which are the inodes of directories."""

    def __init__(self, table: BpfMap) -> None:
        self._table = table
        self._ids: dict[Path, int] = {}

    @property
    def directories(self) -> tuple[Path, ...]:
        return tuple(self._ids)

    @property
    def room(self) -> int:
        return self._table.spec.max_entries

    def update(self, wanted: Iterable[Path]) -> None:
        folders = dict.fromkeys(wanted)
        _check_room(len(folders), self.room)
        ids: dict[Path, int] = {}
        for folder in folders:
            with suppress(OSError):  # the target ended in between
                ids[folder] = folder.stat().st_ino
        before, after = set(self._ids.values()), set(ids.values())
        # Those that are gone first, as the table may be full: what stays is never missing.
        for number in before - after:
            with suppress(OSError):
                self._table.delete(struct.pack("<Q", number))
        for number in after - before:
            self._table.set(struct.pack("<Q", number), b"\1")
        self._ids = ids


class ProcessScope:
    """The hash of process numbers."""

    def __init__(self, table: BpfMap) -> None:
        self._table = table
        self._pids: set[int] = set()

    def update(self, pids: Iterable[int]) -> None:
        wanted = set(pids)
        for pid in wanted - self._pids:
            self._table.set(struct.pack("<I", pid), b"\1")
        for pid in self._pids - wanted:
            with suppress(OSError):
                self._table.delete(struct.pack("<I", pid))
        self._pids = wanted


def _check_room(wanted: int, room: int) -> None:
    if wanted > room:
        raise TargetError(f"{wanted} targets on this node; a session has room for {room}")
