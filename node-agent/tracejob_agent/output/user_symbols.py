"""Addresses of processes as function names: /proc/PID/maps, the binaries' symbols, and a runtime's perf-PID.map.

A process that has ended can't be asked any more, so what was read of it once is kept for the session.
"""

from __future__ import annotations

import contextlib
from bisect import bisect_right
from dataclasses import dataclass
from pathlib import Path

from tracejob_agent.kernel.demangle import demangle
from tracejob_agent.kernel.elf import Elf, ElfError, debug_file

_ET_DYN = 3
_FIXED_BASE = 0x555555554000  # where x86-64 puts position-independent programs that aren't randomized


@dataclass(frozen=True, slots=True)
class UserSymbol:
    """name "": the file is known, its symbols aren't."""

    name: str
    offset: int
    path: str


@dataclass(frozen=True, slots=True)
class Mapping:
    start: int
    end: int
    offset: int
    path: str


class SymbolTable:
    """Functions of one binary, by address."""

    def __init__(self, path: Path, root: Path) -> None:
        self.elf: Elf | None = None
        found: dict[int, tuple[int, str]] = {}
        try:
            self.elf = Elf(path)
            separate = debug_file(self.elf, root)
            for elf in (self.elf, Elf(separate) if separate else None):
                for symbol in elf.symbols() if elf else ():
                    found.setdefault(symbol.address, (symbol.size, symbol.name))
        except ElfError:
            pass
        self._addresses = sorted(found)
        self._found = found

    def resolve(self, file_offset: int) -> tuple[str, int] | None:
        address = self.elf.address_of_offset(file_offset) if self.elf else None
        if address is None:
            return None
        index = bisect_right(self._addresses, address) - 1
        if index < 0:
            return None
        start = self._addresses[index]
        size, name = self._found[start]
        return (name, address - start) if not size or address < start + size else None


class UserSymbols:
    """cpp_demangle: whether names of C++ are made readable."""

    def __init__(self) -> None:
        self.cpp_demangle = True
        self._shares_our_files: set[int] = set()
        self._maps: dict[int, tuple[Mapping, ...]] = {}
        self._tables: dict[tuple[int, int], SymbolTable] = {}
        self._table_of: dict[tuple[int, str], SymbolTable] = {}
        self._jit: dict[int, tuple[list[int], list[tuple[int, str]]]] = {}

    def resolve(self, pid: int, address: int) -> UserSymbol | None:
        """The function at `address` in the process; None when no file is mapped there."""
        mapping = self._mapping(pid, address)
        if mapping is None:
            return None
        if not mapping.path.startswith("/"):
            found = self._from_runtime(pid, address)
            return UserSymbol(found[0], found[1], mapping.path or "[unknown]") if found else None
        resolved = self._table(pid, mapping.path).resolve(address - mapping.start + mapping.offset)
        if resolved is None:
            return UserSymbol("", 0, mapping.path)
        name = demangle(resolved[0]) if self.cpp_demangle else resolved[0]
        return UserSymbol(name, resolved[1], mapping.path)

    def remember(self, pid: int) -> None:
        """Read the maps of a living process. It may still be loading: what was known of other places stays."""
        new = _read_maps(pid)
        known = self._maps.get(pid, ())
        old = (item for item in known if not any(item.start < one.end and one.start < item.end for one in new))
        self._maps[pid] = tuple(sorted((*new, *old), key=lambda item: item.start))
        with contextlib.suppress(OSError):
            if Path(f"/proc/{pid}/ns/mnt").stat().st_ino == Path("/proc/self/ns/mnt").stat().st_ino:
                self._shares_our_files.add(pid)

    def assume_executable(self, pid: int, path: str) -> None:
        """A process that will run `path` without address randomization, and may end before it could be asked."""
        try:
            elf = Elf(Path(path))
        except ElfError:
            return
        self._shares_our_files.add(pid)
        base = _FIXED_BASE if int.from_bytes(elf.data[16:18], "little") == _ET_DYN else 0
        self._maps[pid] = tuple(
            sorted(
                (
                    Mapping(base + item.address, base + item.address + item.memory_size, item.offset, path)
                    for item in elf.segments
                ),
                key=lambda item: item.start,
            )
        )

    def _mapping(self, pid: int, address: int) -> Mapping | None:
        found = _covering(self._maps.get(pid, ()), address)
        if found is None:
            self.remember(pid)
            found = _covering(self._maps[pid], address)
        return found

    def _table(self, pid: int, path: str) -> SymbolTable:
        if (pid, path) not in self._table_of:
            root = Path(f"/proc/{pid}/root")
            found = self._open_table(root / path.lstrip("/"), root)
            if found.elf is None and pid in self._shares_our_files:  # it has ended, perhaps just now
                found = self._open_table(Path(path), Path("/"))
            self._table_of[pid, path] = found
        return self._table_of[pid, path]

    def _open_table(self, opened: Path, root: Path) -> SymbolTable:
        """One table for each file, whatever it is called by whom."""
        try:
            status = opened.stat()
        except OSError:
            return SymbolTable(opened, root)
        key = status.st_dev, status.st_ino
        if key not in self._tables or self._tables[key].elf is None:
            self._tables[key] = SymbolTable(opened, root)
        return self._tables[key]

    def _from_runtime(self, pid: int, address: int) -> tuple[str, int] | None:
        """Code that a runtime made and told of in /tmp/perf-PID.map."""
        if pid not in self._jit:
            self._jit[pid] = _read_perf_map(pid)
        starts, entries = self._jit[pid]
        index = bisect_right(starts, address) - 1
        if index < 0 or address >= starts[index] + entries[index][0]:
            return None
        return entries[index][1], address - starts[index]


def _covering(mappings: tuple[Mapping, ...], address: int) -> Mapping | None:
    index = bisect_right(mappings, address, key=lambda item: item.start) - 1
    return mappings[index] if index >= 0 and address < mappings[index].end else None


def _read_maps(pid: int) -> tuple[Mapping, ...]:
    try:
        text = Path(f"/proc/{pid}/maps").read_text(errors="surrogateescape")
    except OSError:
        return ()
    mappings = []
    for line in text.splitlines():
        fields = line.split(maxsplit=5)
        if "x" not in fields[1]:
            continue
        start, _, end = fields[0].partition("-")
        path = fields[5] if len(fields) == 6 else ""
        mappings.append(Mapping(int(start, 16), int(end, 16), int(fields[2], 16), path))
    return tuple(mappings)


def _read_perf_map(pid: int) -> tuple[list[int], list[tuple[int, str]]]:
    entries = []
    for path in (Path(f"/proc/{pid}/root/tmp/perf-{_inner_pid(pid)}.map"), Path(f"/tmp/perf-{pid}.map")):
        try:
            lines = path.read_text(errors="surrogateescape").splitlines()
        except OSError:
            continue
        for line in lines:
            fields = line.split(maxsplit=2)
            if len(fields) == 3:
                entries.append((int(fields[0], 16), int(fields[1], 16), fields[2]))
        break
    entries.sort()
    return [start for start, _, _ in entries], [(size, name) for _, size, name in entries]


def _inner_pid(pid: int) -> int:
    """What the process calls itself."""
    try:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("NSpid:"):
                return int(line.split()[-1])
    except OSError:
        pass
    return pid
