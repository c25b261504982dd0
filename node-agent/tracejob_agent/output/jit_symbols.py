"""Code that a runtime made (node, Java, .NET) as names, from the map that it writes for this: /tmp/perf-PID.map.

The file lies in the process's own root, under the number that the process has there. It grows while the runtime
compiles: what is new is read when an address isn't known.
"""

from __future__ import annotations

import time
from bisect import bisect_right, insort
from dataclasses import dataclass, field
from pathlib import Path

from tracejob_agent.target.processes import inner_pid

_LOOK_SECONDS = 0.5
_MOST_BYTES = 64 << 20


@dataclass(slots=True)
class _RuntimeMap:
    """entries: (start, size, name) in the order of addresses; read: bytes of the file that have been taken."""

    entries: list[tuple[int, int, str]] = field(default_factory=list)
    read: int = 0
    next_look: float = 0.0


class JitSymbols:
    """By process, kept when it has ended."""

    def __init__(self) -> None:
        self._maps: dict[int, _RuntimeMap] = {}

    def resolve(self, pid: int, address: int) -> tuple[str, int] | None:
        """(name, offset into it)."""
        known = self._maps.setdefault(pid, _RuntimeMap())
        found = _find(known, address)
        if found is None and time.monotonic() >= known.next_look:
            known.next_look = time.monotonic() + _LOOK_SECONDS
            _read_more(known, pid)
            found = _find(known, address)
        return found


def _find(known: _RuntimeMap, address: int) -> tuple[str, int] | None:
    index = bisect_right(known.entries, address, key=lambda entry: entry[0]) - 1
    if index < 0:
        return None
    start, size, name = known.entries[index]
    return (name, address - start) if address < start + size else None


def _read_more(known: _RuntimeMap, pid: int) -> None:
    for path in (Path(f"/proc/{pid}/root/tmp/perf-{inner_pid(pid) or pid}.map"), Path(f"/tmp/perf-{pid}.map")):
        try:
            # What lies there is the traced container's choice: a pipe must not make us wait.
            if not path.is_file():
                continue
            with path.open("rb") as file:
                file.seek(known.read)
                data = file.read(_MOST_BYTES - known.read)
        except OSError:
            continue
        whole = data[: data.rfind(b"\n") + 1]
        known.read += len(whole)
        _add(known, whole)
        return


def _add(known: _RuntimeMap, data: bytes) -> None:
    fresh = []
    for line in data.decode("utf-8", "surrogateescape").splitlines():
        fields = line.split(maxsplit=2)
        try:
            fresh.append((int(fields[0], 16), int(fields[1], 16), fields[2]))
        except (ValueError, IndexError):
            continue
    if len(fresh) > 64 or not known.entries:
        # The sort is stable: of two entries for a place, the later one stands behind and is the one that is found.
        known.entries = sorted([*known.entries, *fresh], key=lambda entry: entry[0])
    else:
        for entry in fresh:
            insort(known.entries, entry, key=lambda item: item[0])
