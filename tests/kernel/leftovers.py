"""What a tracer may have left behind: BPF programs and maps named tj_* in the kernel, descriptors in a process."""

from __future__ import annotations

import errno
import os
import struct
from collections.abc import Iterator
from pathlib import Path

from tracejob_agent.bpf.syscalls import Buffer, Command, bpf

_PROGRAM_NAME, _MAP_NAME = 64, 24  # offsets of the name in struct bpf_prog_info and bpf_map_info


def descriptors_left(pid: int | str = "self") -> list[str]:
    """Descriptors of BPF objects and perf events that a process holds, as the kernel calls them."""
    found = []
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        try:
            target = str(entry.readlink())
        except OSError:
            continue
        if target.startswith("anon_inode:") and ("bpf" in target or "perf" in target):
            found.append(target)
    return sorted(found)


def kernel_objects() -> dict[int, str]:
    """Programs and maps named tj_* by id (a program's negative), whoever owns them."""
    programs = _named(Command.PROG_GET_NEXT_ID, Command.PROG_GET_FD_BY_ID, _PROGRAM_NAME)
    maps = _named(Command.MAP_GET_NEXT_ID, Command.MAP_GET_FD_BY_ID, _MAP_NAME)
    return {-number: name for number, name in programs} | dict(maps)


def _named(following: int, opening: int, name_offset: int) -> Iterator[tuple[int, str]]:
    number = 0
    while True:
        attribute = bytearray(struct.pack("<III", number, 0, 0))
        try:
            bpf(following, attribute)
        except OSError as error:
            assert error.errno == errno.ENOENT
            return
        number = struct.unpack_from("<I", attribute, 4)[0]
        try:
            descriptor = bpf(opening, struct.pack("<III", number, 0, 0))
        except OSError:
            continue  # gone in between
        try:
            info = Buffer(256)
            bpf(Command.OBJ_GET_INFO_BY_FD, struct.pack("<IIQ", descriptor, info.size, info.address))
            name = info.bytes()[name_offset : name_offset + 16].split(b"\0")[0].decode()
        finally:
            os.close(descriptor)
        if name.startswith("tj_"):
            yield number, name
