"""perf events that carry BPF programs: what most probe types come down to. Numbers in, a Handle out.

Part of the start: nothing may be imported here that takes long (docs/decisions/0002-direct-start.md).
"""

import errno
import fcntl
import os
import struct

from tracejob_agent.bpf.syscalls import AttachType, Buffer, Command, bpf, perf_event_open

_ATTRIBUTE_SIZE = 120
_IOC_ENABLE = 0x2400
_IOC_SET_BPF = 0x40042408
_DEVICES = "/sys/bus/event_source/devices"


class EventType:
    """`enum perf_type_id`; probe types of their own (uprobe, kprobe) have numbers in sysfs."""

    HARDWARE = 0
    SOFTWARE = 1
    TRACEPOINT = 2
    BREAKPOINT = 5


CPU_CLOCK = 0


class Handle:
    """One attachment, owned. `link` gone: the program doesn't fire any more; `event` gone: nothing is left of it.

    Closing a link takes some 28 ms (a grace period, several at once pass together), closing a tracepoint's event
    another 32 ms, one after the other: so the two are apart, and results are written in between. -1: there is none.
    address: of a watchpoint.
    """

    __slots__ = ("address", "event", "link")

    def __init__(self, link: int, event: int = -1) -> None:
        self.link = link
        self.event = event
        self.address = 0


class EventAttribute:
    """`struct perf_event_attr`, what we use of it. `extra` and `extra_2` are the fields of the event type:
    bp_addr, uprobe_path or kprobe_func; bp_len, probe_offset or kprobe_addr.

    is_disabled: no samples are taken; programs at a tracepoint run all the same. keep_alive: what `extra` points to.
    """

    __slots__ = ("breakpoint_type", "config", "extra", "extra_2", "is_disabled", "keep_alive", "period", "type")

    def __init__(
        self,
        type_: int,
        config: int,
        *,
        period: int = 0,
        extra: int = 0,
        extra_2: int = 0,
        breakpoint_type: int = 0,
        is_disabled: bool = False,
        keep_alive: object = None,
    ) -> None:
        self.type = type_
        self.config = config
        self.period = period
        self.extra = extra
        self.extra_2 = extra_2
        self.breakpoint_type = breakpoint_type
        self.is_disabled = is_disabled
        self.keep_alive = keep_alive

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


def attach_event(program: int, attribute: EventAttribute, *, cookie: int = 0, pid: int = -1, cpu: int = 0) -> Handle:
    """The program (a descriptor) on a new perf event. Raises OSError.

    By a link since 5.15 (kernel commit b89fbfbb854c, which also brought cookies), else by the old ioctl.
    """
    event = perf_event_open(attribute.pack(), pid=pid, cpu=cpu)
    try:
        request = struct.pack("<IIIIQ", program, event, AttachType.PERF_EVENT, 0, cookie)
        return Handle(link=bpf(Command.LINK_CREATE, request), event=event)
    except OSError as error:
        try:
            if error.errno != errno.EINVAL:
                raise
            fcntl.ioctl(event, _IOC_SET_BPF, program)
            if not attribute.is_disabled:
                fcntl.ioctl(event, _IOC_ENABLE, 0)
        except OSError:
            os.close(event)
            raise
        return Handle(link=-1, event=event)


def event_source(name: str) -> int | None:
    """The number of a perf event source ("uprobe", "kprobe"); None when the kernel has none."""
    try:
        with open(f"{_DEVICES}/{name}/type", "rb", buffering=0) as file:
            return int(file.read())
    except (OSError, ValueError):
        return None


def path_buffer(path: str) -> Buffer:
    return Buffer(os.fsencode(path) + b"\0")
