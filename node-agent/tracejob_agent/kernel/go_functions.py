"""Functions of a Go binary from the table that its own runtime needs: there also when the binary was stripped.

    header | ... | names | ... | functab: (entry, where its record is) for each function, in the order of addresses

The layout is that of Go 1.18 and newer (two magic numbers); older ones have none here.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from tracejob_agent.kernel.elf import Elf, Section

_MAGIC = (0xFFFFFFF0, 0xFFFFFFF1)  # 1.18, 1.20
_SECTIONS = (".gopclntab", ".data.rel.ro.gopclntab")
_HEADER = struct.Struct("<IHBBQQQQQQQQ")
_MOST = 1 << 22


@dataclass(frozen=True, slots=True)
class GoFunctions:
    """Offsets count from the file's start; `text` is the address that entries count from."""

    elf: Elf
    text: int
    names: int
    table: int
    count: int

    def addresses(self) -> list[int]:
        """Of all functions."""
        entries = struct.unpack_from(f"<{2 * self.count}I", self.elf.data, self.table)
        return [self.text + entry for entry in entries[::2]]

    def at(self, index: int) -> tuple[int, str]:
        """(size, name)."""
        start, record, end = struct.unpack_from("<III", self.elf.data, self.table + 8 * index)
        try:
            (name,) = struct.unpack_from("<i", self.elf.data, self.table + record + 4)
        except struct.error:
            return 0, ""
        return max(0, end - start), self.elf.text_at(self.names + name)


def go_functions(elf: Elf) -> GoFunctions | None:
    """None when there is no such table."""
    section = next((found for name in _SECTIONS if (found := elf.section(name))), None)
    if section is None or section.size < _HEADER.size:
        return None
    magic, pad, _, pointer, count, _, text, names, _, _, _, table = _HEADER.unpack_from(elf.data, section.offset)
    if magic not in _MAGIC or pad or pointer != 8 or not 0 < count < _MOST:
        return None
    if table + 8 * count + 4 > section.size or names >= section.size:
        return None
    return GoFunctions(elf, text or _text(elf), section.offset + names, section.offset + table, count)


def _text(elf: Elf) -> int:
    """Since 1.26 the header leaves the start of the text out."""
    section: Section | None = elf.section(".text")
    return section.address if section else 0
