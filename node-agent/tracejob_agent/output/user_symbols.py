"""Addresses of processes as function names: what they map, the binaries' symbols, and a runtime's perf-PID.map.

A process that has ended can't be asked any more, so what it mapped is kept: `follow` takes it from the kernel's
records, `remember` and `resolve` from /proc/PID/maps.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tracejob_agent.kernel.demangle import demangle
from tracejob_agent.kernel.elf import Elf, ElfError
from tracejob_agent.kernel.process_events import Executed, Forked, Mapped, ProcessEvent
from tracejob_agent.kernel.root_paths import resolve_inside
from tracejob_agent.output.jit_symbols import JitSymbols
from tracejob_agent.output.process_maps import NO_MAPPINGS, Mapping, Mappings, read_maps
from tracejob_agent.output.symbol_index import SymbolIndex

_ET_DYN = 3
_FIXED_BASE = 0x555555554000  # where x86-64 puts position-independent programs that aren't randomized
_MOST_PROCESSES = 1 << 12
_MOST_FILES = 1 << 9
_HERE = Path("/")
_AGAIN_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class UserSymbol:
    """name "": the file is known, its symbols aren't."""

    name: str
    offset: int
    path: str


class SymbolTarget(Protocol):
    """What is traced, as far as symbols ask."""

    def covers(self, pid: int) -> bool | None:
        """Whether the process belongs to the target; None when it is gone and nobody can tell."""

    def roots(self) -> Iterable[Path]:
        """The file systems of the target's processes as they are now."""


class WholeMachine:
    """Everybody is the target."""

    def covers(self, pid: int) -> bool | None:
        return True

    def roots(self) -> Iterable[Path]:
        return ()


def _nothing_new() -> None:
    pass


class UserSymbols:
    """cpp_demangle: whether names of compilers are made readable. target: whose records are worth a look."""

    def __init__(self, target: SymbolTarget | None = None) -> None:
        self.cpp_demangle = True
        self._target = target or WholeMachine()
        self._maps: OrderedDict[int, Mappings] = OrderedDict()  # the longest unused first
        self._covers: dict[int, bool | None] = {}
        self._files: dict[tuple[tuple[int, int], int, str], SymbolIndex] = {}
        self._missing: dict[tuple[tuple[int, int], int, str], float] = {}  # when to look again
        self._roots: tuple[float, tuple[Path, ...]] = (float("-inf"), ())
        self._jit = JitSymbols()
        self.catch_up: Callable[[], None] = _nothing_new  # takes what the kernel has told since

    def resolve(self, pid: int, address: int) -> UserSymbol | None:
        """The function at `address` in the process; None when no file is mapped there."""
        mapping = self._mapping(pid, address)
        if mapping is None:
            return None
        if not mapping.is_file:
            found = self._jit.resolve(pid, address)
            return UserSymbol(found[0], found[1], mapping.path or "[unknown]") if found else None
        index = self._file(pid, mapping)
        resolved = index.resolve(address - mapping.start + mapping.offset) if index else None
        if resolved is None:
            return UserSymbol("", 0, mapping.path)
        name = demangle(resolved[0]) if self.cpp_demangle else resolved[0]
        return UserSymbol(name, resolved[1], mapping.path)

    def place_in_file(self, pid: int, address: int) -> tuple[str, int] | None:
        """(build id, offset in the file) of an address; None when no file with a build id is mapped there."""
        mapping = self._mapping(pid, address)
        index = self._file(pid, mapping) if mapping is not None and mapping.is_file else None
        if mapping is None or index is None or index.elf is None or not index.elf.build_id:
            return None
        return index.elf.build_id, address - mapping.start + mapping.offset

    # --- what processes map -------------------------------------------------------------------------------------

    def remember(self, pid: int) -> None:
        """Reads the maps of a living process. It may still be loading: what was known of other places stays."""
        self._keep(pid, self._maps.get(pid, NO_MAPPINGS).over(read_maps(pid)))

    def follow(self, events: Iterable[ProcessEvent]) -> None:
        """Takes what the kernel tells, in order. The target's binaries are opened at once: they may soon be gone."""
        for event in events:
            match event:
                case Executed(pid=pid):
                    self._covers.pop(pid, None)
                    self._maps.pop(pid, None)
                case Forked(pid=pid, parent=parent):
                    self._covers.pop(pid, None)
                    self._maps.pop(pid, None)
                    if parent in self._covers:
                        self._covers[pid] = self._covers[parent]
                    if parent in self._maps:
                        self._keep(pid, self._maps[parent])
                case Mapped(pid=pid):
                    self._note(pid, event)

    def _note(self, pid: int, event: Mapped) -> None:
        if pid not in self._covers:
            self._covers[pid] = self._target.covers(pid)
        if self._covers[pid] is False:
            return
        mapping = Mapping(event.start, event.end, event.offset, event.path, event.inode, event.device)
        self._keep(pid, self._maps.get(pid, NO_MAPPINGS).over((mapping,)))
        if mapping.is_file:
            self._file(pid, mapping)

    def assume_executable(self, pid: int, path: str) -> None:
        """A process that will run `path` without address randomization, and may end before it could be asked."""
        try:
            elf = Elf(Path(path))
        except ElfError:
            return
        base = _FIXED_BASE if int.from_bytes(elf.data[16:18], "little") == _ET_DYN else 0
        found = (
            Mapping(base + item.address, base + item.address + item.memory_size, item.offset, path)
            for item in elf.segments
        )
        self._keep(pid, NO_MAPPINGS.over(found))

    def _mapping(self, pid: int, address: int) -> Mapping | None:
        found = self._maps.get(pid, NO_MAPPINGS).at(address)
        if found is None:
            self.catch_up()
            found = self._maps.get(pid, NO_MAPPINGS).at(address)
        if found is None:
            self.remember(pid)
            found = self._maps[pid].at(address)
        return found

    def _keep(self, pid: int, mappings: Mappings) -> None:
        self._maps[pid] = mappings
        self._maps.move_to_end(pid)
        while len(self._maps) > _MOST_PROCESSES:
            self._maps.popitem(last=False)
        if len(self._covers) > 4 * _MOST_PROCESSES:
            self._covers.clear()

    # --- files --------------------------------------------------------------------------------------------------

    def _file(self, pid: int, mapping: Mapping) -> SymbolIndex | None:
        """One index for each file, whoever maps it; None when it can't be opened (now)."""
        key = mapping.device, mapping.inode, mapping.path
        found = self._files.get(key)
        if found is not None or time.monotonic() < self._missing.get(key, 0.0):
            return found
        found = self._open(pid, mapping)
        if found is None:
            self._missing[key] = time.monotonic() + _AGAIN_SECONDS
            return None
        self._files[key] = found
        if len(self._files) > _MOST_FILES:
            del self._files[next(iter(self._files))]
        return found

    def _open(self, pid: int, mapping: Mapping) -> SymbolIndex | None:
        for path, root in self._places(pid, mapping):
            try:
                if mapping.inode and path.stat().st_ino != mapping.inode:
                    continue  # another file of this name
            except OSError:
                continue
            index = SymbolIndex(path, root)
            if index.elf is not None:
                return index
        return None

    def _places(self, pid: int, mapping: Mapping) -> Iterator[tuple[Path, Path]]:
        """Where the file may be, and the root that has its debug file. The last ones are for when the process ended."""
        path = mapping.path.removesuffix(" (deleted)")
        root = Path(f"/proc/{pid}/root")
        yield resolve_inside(path, root), root
        # The very file, also when its name is gone or means another one by now.
        yield Path(f"/proc/{pid}/map_files/{mapping.start:x}-{mapping.end:x}"), root
        yield Path(path), _HERE
        for other in self._target_roots():
            yield resolve_inside(path, other), other

    def _target_roots(self) -> tuple[Path, ...]:
        """Looked up twice a second at most."""
        asked, roots = self._roots
        if time.monotonic() - asked >= _AGAIN_SECONDS:
            roots = tuple(self._target.roots())
            self._roots = time.monotonic(), roots
        return roots
