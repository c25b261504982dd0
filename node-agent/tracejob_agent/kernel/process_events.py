"""What processes map, start, execute and fork, as the kernel tells it: one ring of records for each CPU.

A process that lives for a millisecond can't be asked for its maps afterwards; these records are made when it maps.
"""

from __future__ import annotations

import mmap
import os
import struct
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

from tracejob_agent.bpf.syscalls import perf_event_open
from tracejob_agent.kernel.cpus import online_cpus

_SOFTWARE, _DUMMY = 1, 9
_ATTRIBUTE_SIZE = 120
_SAMPLE_TIME = 1 << 2
_FLAGS = 1 << 8 | 1 << 9 | 1 << 13 | 1 << 18 | 1 << 23 | 1 << 24  # mmap, comm, task, sample_id_all, mmap2, comm_exec
_PAGES = 64
_HEAD = 1024  # of struct perf_event_mmap_page; the tail follows
_MMAP2, _COMM, _FORK = 10, 3, 7
_IS_EXEC = 1 << 13
_MAPPED = struct.Struct("<IIQQQIIQQII")
_EXECUTABLE = 4
_HEADER = struct.Struct("<IHH")
_IDS = struct.Struct("<IIII")


@dataclass(frozen=True, slots=True)
class Mapped:
    """A file mapped for execution. path: as the process sees it; device: major, minor."""

    pid: int
    start: int
    end: int
    offset: int
    device: tuple[int, int]
    inode: int
    path: str


@dataclass(frozen=True, slots=True)
class Executed:
    """Everything that was mapped before is gone."""

    pid: int


@dataclass(frozen=True, slots=True)
class Forked:
    """A new process, with its parent's mappings."""

    pid: int
    parent: int


ProcessEvent = Mapped | Executed | Forked


class ProcessEvents:
    """Of the whole machine. Use as a context manager. Numbers are those of this process's PID namespace."""

    def __init__(self) -> None:
        self._rings: list[tuple[int, mmap.mmap]] = []
        attribute = struct.pack("<IIQQQQQ", _SOFTWARE, _ATTRIBUTE_SIZE, _DUMMY, 0, _SAMPLE_TIME, 0, _FLAGS)
        for cpu in online_cpus():
            # Without the right to do so, or without room for the ring: processes are asked while they live.
            with suppress(OSError):
                self._open(attribute.ljust(_ATTRIBUTE_SIZE, b"\0"), cpu)

    def _open(self, attribute: bytes, cpu: int) -> None:
        descriptor = perf_event_open(attribute, pid=-1, cpu=cpu)
        try:
            self._rings.append((descriptor, mmap.mmap(descriptor, (1 + _PAGES) * mmap.PAGESIZE)))
        except OSError:
            os.close(descriptor)
            raise

    def close(self) -> None:
        for descriptor, ring in self._rings:
            ring.close()
            os.close(descriptor)
        self._rings = []

    def read(self) -> list[ProcessEvent]:
        """What has come since the last call, in the order of time."""
        found = [item for _, ring in self._rings for item in _records(ring)]
        found.sort(key=lambda item: item[0])
        return [event for _, event in found]


def _records(ring: mmap.mmap) -> Iterator[tuple[int, ProcessEvent]]:
    head, tail = struct.unpack_from("<QQ", ring, _HEAD)
    data = _unwrapped(ring, tail, head)
    struct.pack_into("<Q", ring, _HEAD + 8, head)
    position = 0
    while position + _HEADER.size <= len(data):
        kind, misc, size = _HEADER.unpack_from(data, position)
        if size < _HEADER.size:
            return
        event = _event(kind, misc, data[position + _HEADER.size : position + size])
        if event is not None:
            yield struct.unpack_from("<Q", data, position + size - 8)[0], event
        position += size


def _unwrapped(ring: mmap.mmap, tail: int, head: int) -> bytes:
    size = _PAGES * mmap.PAGESIZE
    start, count = tail % size, head - tail
    first = min(count, size - start)
    base = mmap.PAGESIZE
    return ring[base + start : base + start + first] + ring[base : base + count - first]


def _event(kind: int, misc: int, body: bytes) -> ProcessEvent | None:
    if kind == _MMAP2:
        pid, _, start, length, offset, major, minor, inode, _, protection, _ = _MAPPED.unpack_from(body)
        if not protection & _EXECUTABLE:
            return None
        path = body[_MAPPED.size :].partition(b"\0")[0].decode("utf-8", "surrogateescape")
        return Mapped(pid, start, start + length, offset, (major, minor), inode, path)
    if kind == _COMM and misc & _IS_EXEC:
        return Executed(struct.unpack_from("<I", body)[0])
    if kind == _FORK:
        pid, parent, _, _ = _IDS.unpack_from(body)
        return Forked(pid, parent) if pid != parent else None
    return None
