"""Keeps the tables that dw_ustack() walks stacks by: of the processes it is told of, as they map their binaries.

See `tracelang.unwinding`. A file's rows are made and written once, however many processes map it.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from pathlib import Path

from tracejob_agent.bpf.loader import LoadedPlan
from tracejob_agent.kernel.call_frames import unwind_rows
from tracejob_agent.kernel.elf import Elf, ElfError
from tracelang.plan import MapRole
from tracelang.unwinding import REGION, REGIONS, ROW, ROWS

_MAPPING = re.compile(r"([0-9a-f]+)-([0-9a-f]+) ..x. ([0-9a-f]+) \S+ (\d+) +(/.*)")
_PLACE_WITHOUT_ASLR = 0x555555554000
_POSITION_INDEPENDENT = 3  # ET_DYN


@dataclass(frozen=True, slots=True)
class _File:
    """elf: None for what isn't one. first, rows: where its rows stand."""

    elf: Elf | None
    first: int
    rows: int


class UnwindTables:
    """The two maps of a loaded program; of others nothing is kept."""

    def __init__(self, loaded: LoadedPlan) -> None:
        self._rows = loaded.by_role(MapRole.UNWIND_ROWS)
        self._processes = loaded.by_role(MapRole.UNWIND_PROCESSES)
        self._files: dict[str, _File] = {}
        self._next = 0
        self._written: dict[int, bytes] = {}

    def expect(self, pid: int, path: str) -> None:
        """A process that will execute the file, with addresses that aren't randomized."""
        if self._rows is None:
            return
        file = self._file(path)
        if file.elf is None:
            return
        bias = _PLACE_WITHOUT_ASLR if file.elf.data[16] == _POSITION_INDEPENDENT else 0
        last = max((item.address + item.memory_size for item in file.elf.segments), default=0)
        self._write(pid, [REGION.pack(bias, (bias + last) % (1 << 64), bias, file.first, file.rows)])

    def refresh(self, pid: int) -> None:
        """What the process has mapped now."""
        if self._rows is None:
            return
        try:
            text = Path(f"/proc/{pid}/maps").read_text(errors="surrogateescape")
        except OSError:
            return
        regions = []
        for line in text.splitlines():
            found = _MAPPING.match(line)
            if found:
                region = self._region(pid, found)
                if region is not None:
                    regions.append(region)
        if regions:
            self._write(pid, regions)

    def _region(self, pid: int, found: re.Match[str]) -> bytes | None:
        start, end, offset = (int(found[index], 16) for index in (1, 2, 3))
        file = self._file(f"/proc/{pid}/map_files/{start:x}-{end:x}", key=f"{found[4]} {found[5]}")
        address = file.elf.address_of_offset(offset) if file.elf is not None else None
        if address is None or not file.rows:
            return None
        return REGION.pack(start, end, (start - address) % (1 << 64), file.first, file.rows)

    def _file(self, path: str, key: str = "") -> _File:
        key = key or f"{Path(path).stat().st_ino} {path}"
        if key not in self._files:
            self._files[key] = self._read(path)
        return self._files[key]

    def _read(self, path: str) -> _File:
        assert self._rows is not None
        try:
            elf = Elf(Path(path))
            rows = unwind_rows(elf)
        except (ElfError, OSError):
            return _File(None, 0, 0)
        rows = rows[: ROWS - self._next]  # one file may be larger than all there is room for
        first = self._next
        for number, row in enumerate(rows, first):
            self._rows.set(struct.pack("<I", number), ROW.pack(*row))
        self._next += len(rows)
        return _File(elf, first, len(rows))

    def _write(self, pid: int, regions: list[bytes]) -> None:
        assert self._processes is not None
        regions = regions[:REGIONS]
        value = (struct.pack("<Q", len(regions)) + b"".join(regions)).ljust(self._processes.spec.value_size, b"\0")
        if self._written.get(pid) != value:
            self._processes.update(struct.pack("<I", pid), value)
            self._written[pid] = value
