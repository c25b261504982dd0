"""perf events that carry BPF programs: what most probe types come down to. Numbers in, a Handle out."""

from __future__ import annotations

import errno
import fcntl
import os
import struct
from contextlib import suppress
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

from tracejob_agent.bpf.loader import AttachType, LoadedProgram
from tracejob_agent.bpf.syscalls import Buffer, Command, bpf, perf_event_open

_ATTRIBUTE_SIZE = 120
_IOC_ENABLE = 0x2400
_IOC_SET_BPF = 0x40042408
_DEVICES = Path("/sys/bus/event_source/devices")


class EventType(IntEnum):
    """`enum perf_type_id`; probe types of their own (uprobe, kprobe) have numbers in sysfs."""

    HARDWARE = 0
    SOFTWARE = 1
    TRACEPOINT = 2
    BREAKPOINT = 5


CPU_CLOCK = 0


@dataclass(frozen=True, slots=True)
class Handle:
    """One attachment, owned. `link` gone: the program doesn't fire any more; `event` gone: nothing is left of it.

    Closing a link takes some 28 ms (a grace period, several at once pass together), closing a tracepoint's event
    another 32 ms, one after the other: so the two are apart, and results are written in between. -1: there is none.
    """

    link: int
    event: int = -1


@dataclass(frozen=True, slots=True)
class EventAttribute:
    """`struct perf_event_attr`, what we use of it. The two extra words are the fields of the event type."""

    type: int
    config: int
    period: int = 0
    extra: int = 0  # bp_addr, uprobe_path, kprobe_func
    extra_2: int = 0  # bp_len, probe_offset, kprobe_addr
    breakpoint_type: int = 0
    is_disabled: bool = False  # no samples are taken; programs at a tracepoint run all the same
    keep_alive: object = None  # memory that `extra` points to

    def pack(self) -> bytes:
        return struct.pack(
            "<IIQQQQQIIQQ",
            self.type,
            _ATTRIBUTE_SIZE,
            self.config,
            self.period,
            0,
            0,
            1 if self.is_disabled else 0,
            0,
            self.breakpoint_type,
            self.extra,
            self.extra_2,
        ).ljust(_ATTRIBUTE_SIZE, b"\0")


def attach_event(
    program: LoadedProgram, attribute: EventAttribute, *, cookie: int = 0, pid: int = -1, cpu: int = 0
) -> Handle:
    """The program on a new perf event. Raises OSError.

    By a link since 5.15 (kernel commit b89fbfbb854c, which also brought cookies), else by the old ioctl.
    """
    event = perf_event_open(attribute.pack(), pid=pid, cpu=cpu)
    try:
        request = struct.pack("<IIIIQ", program.descriptor, event, AttachType.PERF_EVENT, 0, cookie)
        return Handle(link=bpf(Command.LINK_CREATE, request), event=event)
    except OSError as error:
        try:
            if error.errno != errno.EINVAL:
                raise
            fcntl.ioctl(event, _IOC_SET_BPF, program.descriptor)
            if not attribute.is_disabled:
                fcntl.ioctl(event, _IOC_ENABLE, 0)
        except OSError:
            os.close(event)
            raise
        return Handle(link=-1, event=event)


def event_source(name: str) -> int | None:
    """The number of a perf event source ("uprobe", "kprobe"); None when the kernel has none."""
    with suppress(OSError, ValueError):
        return int((_DEVICES / name / "type").read_text())
    return None


def path_buffer(path: str) -> Buffer:
    return Buffer(os.fsencode(path) + b"\0")
