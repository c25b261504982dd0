"""bpf(), perf_event_open() and friends: numbers and bytes in, descriptors and results out. Nothing here decides.

Attributes are packed as uapi/linux/bpf.h lays out `union bpf_attr`; the kernel takes a shorter one and treats the
rest as zero.

Part of the start: nothing may be imported here that takes long (docs/decisions/0002-direct-start.md).
"""

import ctypes
import os

# bpf, perf_event_open by machine (`uname -m`).
_NUMBERS = {"x86_64": (321, 298), "aarch64": (280, 241)}
_BPF, _PERF_EVENT_OPEN = _NUMBERS.get(os.uname().machine, _NUMBERS["x86_64"])
PERF_FLAG_FD_CLOEXEC = 8

_libc = ctypes.CDLL(None, use_errno=True)
_syscall = _libc.syscall
_syscall.restype = ctypes.c_long


class Command:
    """Commands of bpf()."""

    MAP_CREATE = 0
    MAP_LOOKUP_ELEM = 1
    MAP_UPDATE_ELEM = 2
    MAP_DELETE_ELEM = 3
    MAP_GET_NEXT_KEY = 4
    PROG_LOAD = 5
    PROG_TEST_RUN = 10
    PROG_GET_NEXT_ID = 11
    MAP_GET_NEXT_ID = 12
    PROG_GET_FD_BY_ID = 13
    MAP_GET_FD_BY_ID = 14
    OBJ_GET_INFO_BY_FD = 15
    RAW_TRACEPOINT_OPEN = 17
    BTF_LOAD = 18
    BTF_GET_FD_BY_ID = 19
    BTF_GET_NEXT_ID = 23
    MAP_LOOKUP_BATCH = 24
    LINK_CREATE = 28
    ENABLE_STATS = 32
    ITER_CREATE = 33


class AttachType:
    """`enum bpf_attach_type`, those that programs are loaded with."""

    TRACE_RAW_TP = 23
    TRACE_FENTRY = 24
    TRACE_FEXIT = 25
    TRACE_ITER = 28
    PERF_EVENT = 41
    KPROBE_MULTI = 42
    UPROBE_MULTI = 48


def bpf(command: int, attribute: bytes | bytearray) -> int:
    """One bpf() call. Raises OSError. A bytearray receives what the kernel writes into the attribute."""
    size = len(attribute)
    buffer = (ctypes.c_char * size).from_buffer(attribute) if isinstance(attribute, bytearray) else attribute
    result = int(_syscall(ctypes.c_long(_BPF), ctypes.c_long(command), buffer, ctypes.c_ulong(size)))
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error), f"bpf({command})")
    return result


def perf_event_open(attribute: bytes, *, pid: int, cpu: int, group: int = -1) -> int:
    """A perf event's descriptor. Raises OSError."""
    result = int(
        _syscall(
            ctypes.c_long(_PERF_EVENT_OPEN),
            attribute,
            ctypes.c_long(pid),
            ctypes.c_long(cpu),
            ctypes.c_long(group),
            ctypes.c_ulong(PERF_FLAG_FD_CLOEXEC),
        )
    )
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error), "perf_event_open")
    return result


class Buffer:
    """Memory with an address that the kernel reads or writes."""

    __slots__ = ("_memory", "address", "size")

    def __init__(self, content: bytes | int) -> None:
        """Of `content` bytes, or zeroed with that size."""
        if isinstance(content, int):
            self.size = content
            self._memory = ctypes.create_string_buffer(max(content, 1))
        else:
            self.size = len(content)
            self._memory = ctypes.create_string_buffer(content, max(self.size, 1))
        self.address = ctypes.addressof(self._memory)

    def view(self) -> memoryview:
        return memoryview(self._memory).cast("B")[: self.size]

    def bytes(self) -> bytes:
        return ctypes.string_at(self.address, self.size)

    def text(self) -> str:
        return bytes(self._memory.value).decode(errors="replace")


def address_of(buffer: bytes | bytearray) -> int:
    """The address of a bytearray's memory, or of a bytes object's (which must outlive the call)."""
    if isinstance(buffer, bytearray):
        return ctypes.addressof((ctypes.c_char * len(buffer)).from_buffer(buffer))
    return ctypes.cast(ctypes.c_char_p(buffer), ctypes.c_void_p).value or 0
