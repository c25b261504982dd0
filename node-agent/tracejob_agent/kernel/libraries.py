"""Binaries and libraries by the short names that users write: "libc", "bash" -> paths.

A library is looked for where the dynamic linker would find it: in the maps of the traced process, then in the linker's
cache. `root` is the file system of the target (a container's through /proc/PID/root).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

_NEW_MAGIC = b"glibc-ld.so.cache1.1"
_USUAL_FOLDERS = ("lib", "usr/lib", "lib64", "usr/lib64", "lib/x86_64-linux-gnu", "usr/lib/x86_64-linux-gnu",
                  "usr/local/lib")  # fmt: skip
_SEARCH_PATH = ("usr/local/sbin", "usr/local/bin", "usr/sbin", "usr/bin", "sbin", "bin")


def library_paths(name: str, *, root: Path, pids: tuple[int, ...] = ()) -> Iterator[str]:
    """Paths inside `root` that "libc", "libc.so" or "libc.so.6" may mean, the likeliest first."""
    stem = name if name.startswith("lib") else f"lib{name}"
    found: dict[str, None] = {}
    for pid in pids:
        for mapped in mapped_files(pid):
            if is_library(Path(mapped).name, stem):
                found.setdefault(mapped)
    for soname, path in linker_cache(root / "etc/ld.so.cache"):
        if is_library(soname, stem):
            found.setdefault(path)
    if not found:
        for folder in _USUAL_FOLDERS:
            for item in sorted((root / folder).glob(f"{stem.split('.')[0]}*.so*")):
                if is_library(item.name, stem):
                    found.setdefault(f"/{folder}/{item.name}")
    yield from found


def is_library(file_name: str, stem: str) -> bool:
    """Whether "libc.so.6" or "libc-2.31.so" is what "libc", "libc.so" or "libc.so.6" asks for."""
    if file_name == stem or file_name.startswith(f"{stem}."):
        return ".so" in file_name
    base, _, rest = file_name.partition("-")
    return base == stem and rest[:1].isdigit() and rest.endswith(".so")


def linker_cache(path: Path) -> Iterator[tuple[str, str]]:
    """(soname, path) of glibc's ld.so.cache; nothing when there is none or it is of another make."""
    try:
        data = path.read_bytes()
    except OSError:
        return
    start = data.find(_NEW_MAGIC)
    if start < 0:
        return
    count = struct.unpack_from("<I", data, start + 20)[0]
    for index in range(count):
        flags, key, value = struct.unpack_from("<iII", data, start + 48 + 24 * index)
        if flags & 0xFF00 == 0x0300:  # x86-64
            yield _text(data, start + key), _text(data, start + value)


def mapped_files(pid: int) -> Iterator[str]:
    """Paths, as the process sees them, of the files that it maps for execution."""
    try:
        lines = Path(f"/proc/{pid}/maps").read_text(errors="replace").splitlines()
    except OSError:
        return
    seen: set[str] = set()
    for line in lines:
        fields = line.split(maxsplit=5)
        if len(fields) == 6 and "x" in fields[1] and fields[5].startswith("/") and fields[5] not in seen:
            seen.add(fields[5])
            yield fields[5]


def executable_paths(name: str, *, root: Path) -> Iterator[str]:
    """Where a command of this name lies in the usual search path inside `root`."""
    for folder in _SEARCH_PATH:
        if (root / folder / name).is_file():
            yield f"/{folder}/{name}"


def _text(data: bytes, offset: int) -> str:
    return data[offset : data.find(b"\0", offset)].decode("utf-8", "replace")
