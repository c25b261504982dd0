"""Type information that the kernel holds as objects: a module's name in, a descriptor out.

A program that attaches to a module's function names the module's types by descriptor; the kernel's own need none.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator

from tracejob_agent.bpf.syscalls import Buffer, Command, bpf

_NAME_SIZE = 64  # MODULE_NAME_LEN and more
_INFO = struct.Struct("<QIIQII")  # struct bpf_btf_info


def open_module_types(module: str) -> int | None:
    """The caller closes the descriptor. None without such an object, as before 5.11 (commit 36e68442d1af)."""
    for descriptor in _objects():
        if _name(descriptor) == module:
            return descriptor
        os.close(descriptor)
    return None


def _objects() -> Iterator[int]:
    number = 0
    while True:
        attribute = bytearray(struct.pack("<IIII", number, 0, 0, 0))
        try:
            bpf(Command.BTF_GET_NEXT_ID, attribute)
        except OSError:
            return  # ENOENT: the last one was before
        (number,) = struct.unpack_from("<I", attribute, 4)
        try:
            yield bpf(Command.BTF_GET_FD_BY_ID, struct.pack("<III", number, 0, 0))
        except OSError:
            continue  # gone meanwhile


def _name(descriptor: int) -> str:
    name = Buffer(_NAME_SIZE)
    info = Buffer(_INFO.pack(0, 0, 0, name.address, _NAME_SIZE, 0))
    try:
        bpf(Command.OBJ_GET_INFO_BY_FD, struct.pack("<IIQ", descriptor, info.size, info.address))
    except OSError:
        return ""
    return name.text()
