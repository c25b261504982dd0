"""The target's binaries: paths as programs write them, found in the target's file systems, opened once each.

A target has one or more roots (a container's is /proc/PID/root; the host's is /). Paths in a program are paths inside
these roots; what several roots share is taken once, by device and inode.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from tracejob_agent.kernel.debug_files import debug_file, embedded_symbols
from tracejob_agent.kernel.dwarf import DwarfTypes
from tracejob_agent.kernel.elf import Elf, ElfError, Symbol
from tracejob_agent.kernel.libraries import executable_paths, library_paths, mapped_files
from tracejob_agent.kernel.root_paths import resolve_inside
from tracejob_agent.kernel.usdt import UsdtProbe, usdt_probes
from tracejob_agent.kernel.wildcard import has_wildcard, matcher


@dataclass(frozen=True)
class Binary:
    """A binary of the target. path: inside the target, as it is shown; opened: as the agent opens it."""

    path: str
    opened: Path
    root: Path
    debug_folders: tuple[Path, ...] = ()

    @cached_property
    def elf(self) -> Elf | None:
        return _readable(self.opened)

    @cached_property
    def debug_elf(self) -> Elf | None:
        """The separate file with the symbols that were stripped."""
        if self.elf is None:
            return None
        return debug_file(self.elf, self.root, self.debug_folders) or embedded_symbols(self.elf)

    @cached_property
    def types(self) -> DwarfTypes:
        stripped = self.elf is None or self.elf.section(".debug_info") is None
        return DwarfTypes(self.debug_elf.path if stripped and self.debug_elf else self.opened, self.root)

    @cached_property
    def usdt(self) -> tuple[UsdtProbe, ...]:
        return tuple(usdt_probes(self.elf)) if self.elf else ()

    def symbol(self, name: str) -> Symbol | None:
        """By exact name, in the binary or in its debug file."""
        for elf in (self.elf, self.debug_elf):
            if elf and (symbol := elf.find_symbol(name)):
                return symbol
        return None

    def code_of(self, symbol: Symbol) -> bytes:
        offset = self.elf.file_offset(symbol.address) if self.elf else None
        return self.elf.data[offset : offset + symbol.size] if self.elf and offset is not None else b""

    def functions(self) -> Iterator[Symbol]:
        seen: set[tuple[str, int]] = set()
        for elf in (self.elf, self.debug_elf):
            for symbol in elf.symbols() if elf else ():
                if (symbol.name, symbol.address) not in seen:
                    seen.add((symbol.name, symbol.address))
                    yield symbol

    def function_at(self, address: int) -> Symbol | None:
        """The function that covers an address of the file."""
        best = None
        for symbol in self.functions():
            if symbol.address <= address < symbol.address + max(symbol.size, 1) and (
                best is None or symbol.address > best.address
            ):
                best = symbol
        return best


def _readable(path: Path) -> Elf | None:
    """The binary, when its tables can be read: a container's file may be anything."""
    try:
        elf = Elf(path)
        _ = elf.sections, elf.segments
    except ElfError:
        return None
    return elf


class Binaries:
    """Finds and keeps the binaries of one target."""

    def __init__(self, roots: tuple[Path, ...], pids: tuple[int, ...], debug_folders: tuple[Path, ...] = ()) -> None:
        """debug_folders: of this machine, where files with symbols and types are looked for first."""
        self._debug_folders = debug_folders
        self._roots = roots
        self._pids = pids
        self._open: dict[Path, Binary] = {}

    def find(self, name: str) -> list[Binary]:
        """What a program's binary name stands for: a path, a pattern, a library, a command; each file once."""
        found: dict[tuple[int, int], Binary] = {}
        for root in self._roots:
            for path in self._paths(name, root):
                binary = self._binary(path, root)
                try:
                    status = binary.opened.stat()
                except OSError:
                    continue
                if binary.opened.is_file():
                    found.setdefault((status.st_dev, status.st_ino), binary)
            # A short name means the first that fits; every root has its own.
        return list(found.values())

    def at(self, opened: str) -> Binary | None:
        """By the path that a Location's target gives, or a path inside the target."""
        path = Path(opened)
        if path in self._open:
            return self._open[path]
        found = self.find(opened)
        return found[0] if found else None

    @cached_property
    def _mapped(self) -> tuple[str, ...]:
        """Files that the target's processes map for execution; without a target, those of all processes."""
        everyone = (int(item.name) for item in Path("/proc").iterdir() if item.name.isdecimal())
        return tuple(dict.fromkeys(path for pid in self._pids or everyone for path in mapped_files(pid)))

    def _binary(self, path: str, root: Path) -> Binary:
        opened = resolve_inside(path, root)
        if opened not in self._open:
            self._open[opened] = Binary(path, opened, root, self._debug_folders)
        return self._open[opened]

    def _paths(self, name: str, root: Path) -> Iterator[str]:
        if has_wildcard(name):
            if "/" in name:
                yield from _matching_paths(name, root)
            else:
                matches = matcher(name)
                yield from (path for path in self._mapped if matches(path))
        elif "/" in name:
            yield name
        else:
            here = Path(name)
            candidates = [*executable_paths(name, root=root), *library_paths(name, root=root, pids=self._pids)]
            if candidates:
                yield candidates[0]
            elif root == Path("/") and here.is_file():
                yield str(here.absolute())


def _matching_paths(pattern: str, root: Path) -> Iterator[str]:
    """Files that a pattern stands for, spelled as the pattern is: "./a*" gives "./abc"."""
    matches = matcher(pattern)
    start = root if pattern.startswith("/") else Path()
    written = f"{'/' if pattern.startswith('/') else './' if pattern.startswith('./') else ''}"
    for path in sorted(start.glob(pattern.removeprefix(written).replace("**", "*"))):
        name = f"{written}{path.relative_to(start)}"
        if matches(name):
            yield name
