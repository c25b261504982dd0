"""The bpf() and perf_event_open() system calls, as far as finding out what this kernel can do needs them."""

from __future__ import annotations

import ctypes
import errno
import os
import struct

_BPF, _PERF_EVENT_OPEN = 321, 298  # x86-64
_PROG_LOAD = 5
_libc = ctypes.CDLL(None, use_errno=True)
RETURN_ZERO = struct.pack("<BBhi", 0xB7, 0, 0, 0) + struct.pack("<BBhi", 0x95, 0, 0, 0)


def try_program(program_type: int, *, attach_type: int = 0, attach_btf_id: int = 0) -> int:
    """Load `return 0` as a program of this type and drop it again: 0, or the error number of the refusal."""
    instructions = ctypes.create_string_buffer(RETURN_ZERO)
    license_text = ctypes.create_string_buffer(b"GPL")
    attributes = struct.pack(
        "<IIQQIIQII16sIIIIQIIQII",
        program_type,
        len(RETURN_ZERO) // 8,
        ctypes.addressof(instructions),
        ctypes.addressof(license_text),
        0,  # log level, size, buffer
        0,
        0,
        0,  # kernel version
        0,  # flags
        b"tj_probe",
        0,  # interface index
        attach_type,
        0,  # program's own BTF
        0,
        0,
        0,
        0,
        0,
        0,
        attach_btf_id,
    )
    buffer = ctypes.create_string_buffer(attributes, 128)
    descriptor = _libc.syscall(_BPF, _PROG_LOAD, buffer, 128)
    if descriptor < 0:
        return ctypes.get_errno()
    os.close(descriptor)
    return 0


def try_perf_event(*, event_type: int, config: int = 0, breakpoint_address: int = 0) -> int:
    """Open a perf event on CPU 0 and close it again: 0, or the error number."""
    attributes = ctypes.create_string_buffer(112)
    struct.pack_into("<IIQ", attributes, 0, event_type, 112, config)
    if breakpoint_address:
        struct.pack_into("<I", attributes, 52, 2)  # on write
        struct.pack_into("<QQ", attributes, 56, breakpoint_address, 4)
    descriptor = _libc.syscall(_PERF_EVENT_OPEN, attributes, -1, 0, -1, 8)
    if descriptor < 0:
        return ctypes.get_errno()
    os.close(descriptor)
    return 0


def reason(error: int) -> str:
    """An error number in words, "EPERM (Operation not permitted)"."""
    return f"{errno.errorcode.get(error, error)} ({os.strerror(error)})"
