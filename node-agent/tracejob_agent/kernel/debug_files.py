"""Symbols that were stripped from a binary: in a file beside it, under /usr/lib/debug, or packed into the binary.

A file is taken only when it belongs to the binary: by its build id, or by the checksum that .gnu_debuglink carries.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from pathlib import Path

from tracejob_agent.kernel.elf import Elf, ElfError
from tracejob_agent.kernel.root_paths import resolve_inside

_DEBUG = "usr/lib/debug"
_HERE = Path("/")
_NODE = Path("/proc/1/root")
_LARGEST_EMBEDDED = 64 << 20


def debug_file(elf: Elf, root: Path = _HERE, folders: tuple[Path, ...] = ()) -> Elf | None:
    """The separate file: inside `root` (the target's), by build id also on this machine and its node.

    folders: where a user of this machine wants it looked for first; relative ones count from the binary's folder too.
    """
    for path in (*_of_user(elf, folders), *_candidates(elf, root)):
        try:
            found = Elf(path)
            if _belongs(found, elf):
                return found
        except ElfError:
            continue
    return None


def embedded_symbols(elf: Elf) -> Elf | None:
    """What .gnu_debugdata holds: Fedora's and Red Hat's binaries carry the names of their functions, compressed."""
    section = elf.section(".gnu_debugdata")
    if section is None or not section.size:
        return None
    import lzma

    try:
        data = lzma.LZMADecompressor().decompress(elf.bytes_of(section), max_length=_LARGEST_EMBEDDED)
        return Elf(elf.path, data=data)
    except (lzma.LZMAError, ElfError):
        return None


def _of_user(elf: Elf, folders: tuple[Path, ...]) -> Iterator[Path]:
    for folder in folders:
        for place in dict.fromkeys((elf.path.parent / folder, folder)):
            if elf.build_id:
                yield place / ".build-id" / elf.build_id[:2] / f"{elf.build_id[2:]}.debug"
            if elf.debug_link and "/" not in elf.debug_link:
                yield place / elf.debug_link
                yield place / str(elf.path.parent.absolute()).lstrip("/") / elf.debug_link


def _candidates(elf: Elf, root: Path) -> Iterator[Path]:
    if elf.build_id:
        name = f"{_DEBUG}/.build-id/{elf.build_id[:2]}/{elf.build_id[2:]}.debug"
        yield resolve_inside(f"/{name}", root)
        yield from (place / name for place in (_HERE, _NODE) if place != root)
    link = elf.debug_link
    if link and "/" not in link and link not in (".", ".."):
        folder = elf.path.parent
        inside = folder.relative_to(root) if folder.is_relative_to(root) else Path(str(folder).lstrip("/"))
        for name in (f"/{inside}/{link}", f"/{inside}/.debug/{link}", f"/{_DEBUG}/{inside}/{link}"):
            path = resolve_inside(name, root)
            if path != elf.path:
                yield path


def _belongs(debug: Elf, elf: Elf) -> bool:
    if elf.build_id and debug.build_id:
        return elf.build_id == debug.build_id
    checksum = elf.debug_link_checksum
    return checksum is not None and zlib.crc32(debug.data) == checksum
