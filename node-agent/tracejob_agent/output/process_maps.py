"""What a process maps for execution, by address."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path

_start = attrgetter("start")
_NOT_FILES = ("/memfd:", "/dev/zero", "/SYSV", "/anon_hugepage")


@dataclass(frozen=True, slots=True)
class Mapping:
    """path: as the process sees it, "" of memory without a file. inode: 0 when it isn't known; device: major, minor."""

    start: int
    end: int
    offset: int
    path: str
    inode: int = 0
    device: tuple[int, int] = (0, 0)

    @property
    def is_file(self) -> bool:
        """Not memory that a runtime writes its code into, whatever it is called."""
        return self.path.startswith("/") and not self.path.startswith(_NOT_FILES)


@dataclass(frozen=True, slots=True)
class Mappings:
    """In the order of addresses, none over another."""

    items: tuple[Mapping, ...] = ()

    def at(self, address: int) -> Mapping | None:
        index = bisect_right(self.items, address, key=_start) - 1
        return self.items[index] if index >= 0 and address < self.items[index].end else None

    def over(self, newer: Iterable[Mapping]) -> Mappings:
        """With newer ones, which take the place of what was there."""
        new = tuple(newer)
        old = (item for item in self.items if not any(item.start < one.end and one.start < item.end for one in new))
        return Mappings(tuple(sorted((*new, *old), key=_start)))


NO_MAPPINGS = Mappings()


def read_maps(pid: int) -> list[Mapping]:
    """Of a living process; empty when it is gone."""
    try:
        text = Path(f"/proc/{pid}/maps").read_text(errors="surrogateescape")
    except OSError:
        return []
    mappings = []
    for line in text.splitlines():
        fields = line.split(maxsplit=5)
        if len(fields) < 5 or "x" not in fields[1]:
            continue
        start, _, end = fields[0].partition("-")
        path = fields[5] if len(fields) == 6 else ""
        major, _, minor = fields[3].partition(":")
        device = int(major, 16), int(minor, 16)
        mappings.append(Mapping(int(start, 16), int(end, 16), int(fields[2], 16), path, int(fields[4]), device))
    return mappings
