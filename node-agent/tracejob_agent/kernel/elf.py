"""ELF files by mmap: sections, symbols, build id and notes of a 64-bit little-endian binary, read only where asked."""

from __future__ import annotations

import mmap
import os
import stat
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

FUNCTION_TYPES = (2, 10)  # STT_FUNC, STT_GNU_IFUNC
_OBJECT_TYPE = 1
SYMBOL = struct.Struct("<IBBHQQ")
_PT_LOAD = 1
_SHT_NOBITS = 8


class ElfError(Exception):
    """Not a binary that can be read here; the message says why."""


@dataclass(frozen=True, slots=True)
class Section:
    name: str
    type: int
    address: int
    offset: int
    size: int
    link: int


@dataclass(frozen=True, slots=True)
class Segment:
    offset: int
    address: int
    file_size: int
    memory_size: int


@dataclass(frozen=True, slots=True)
class Symbol:
    name: str
    address: int
    size: int
    is_function: bool


class Elf:
    """One open binary. Addresses are the file's own (link-time) addresses."""

    def __init__(self, path: Path, *, data: bytes | None = None) -> None:
        """data: the file's content when it isn't a file of its own, but part of `path`."""
        self.path = path
        self.data: mmap.mmap | bytes = _mapped(path) if data is None else data
        if self.data[:4] != b"\x7fELF":
            raise ElfError(f"{path} is not an ELF file")
        if self.data[4:6] != b"\x02\x01" or len(self.data) < 64:
            raise ElfError(f"{path} is not a 64-bit little-endian ELF file")

    @cached_property
    def sections(self) -> tuple[Section, ...]:
        table, size, count, names = self._header("<QIHHHHHH", 40, (0, 5, 6, 7))
        try:
            raw = [struct.unpack_from("<IIQQQQIIQQ", self.data, table + size * i) for i in range(count)]
        except (struct.error, OverflowError) as error:
            raise ElfError(f"{self.path}: cut short") from error
        if not raw:
            return ()
        if names >= len(raw):
            raise ElfError(f"{self.path}: its section names are missing")
        strings = raw[names][4]
        end = len(self.data)
        return tuple(
            # Nothing lies behind the file's end, whatever the table says.
            Section(
                name=self.text_at(strings + item[0]),
                type=item[1],
                address=item[3],
                offset=min(item[4], end),
                size=min(item[5], end - min(item[4], end)),
                link=item[6],
            )
            for item in raw
        )

    @cached_property
    def segments(self) -> tuple[Segment, ...]:
        """What is loaded into memory."""
        table, size, count = self._header("<QQIHHH", 32, (0, 4, 5))
        try:
            raw = [struct.unpack_from("<IIQQQQQ", self.data, table + size * i) for i in range(count)]
        except (struct.error, OverflowError) as error:
            raise ElfError(f"{self.path}: cut short") from error
        return tuple(Segment(item[2], item[3], item[5], item[6]) for item in raw if item[0] == _PT_LOAD)

    def section(self, name: str) -> Section | None:
        return next((item for item in self.sections if item.name == name), None)

    def bytes_of(self, section: Section) -> bytes:
        if section.type == _SHT_NOBITS:
            return b""
        return self.data[section.offset : section.offset + section.size]

    def file_offset(self, address: int) -> int | None:
        """Where the byte at `address` lies in the file; None when it isn't loaded from it."""
        for segment in self.segments:
            if segment.address <= address < segment.address + segment.memory_size:
                return address - segment.address + segment.offset
        return None

    def address_of_offset(self, offset: int) -> int | None:
        for segment in self.segments:
            if segment.offset <= offset < segment.offset + segment.file_size:
                return offset - segment.offset + segment.address
        return None

    def find_symbol(self, name: str) -> Symbol | None:
        """By exact name, without reading the whole table; functions before objects."""
        found: Symbol | None = None
        wanted = name.encode() + b"\0"
        for table in self.symbol_tables():
            strings = self.sections[table.link]
            symbols = self.bytes_of(table)
            end = strings.offset + strings.size
            position = self.data.find(wanted, strings.offset, end)
            while position >= 0:
                # String tables share tails, so a name may be the end of a longer one.
                pattern = struct.pack("<I", position - strings.offset)
                at = symbols.find(pattern)
                while at >= 0:
                    if at % SYMBOL.size == 0 and at + SYMBOL.size <= len(symbols):
                        symbol = self._symbol(SYMBOL.unpack_from(symbols, at), name=name)
                        if symbol and symbol.is_function:
                            return symbol
                        found = found or symbol
                    at = symbols.find(pattern, at + 1)
                position = self.data.find(wanted, position + 1, end)
        return found

    def symbols(self, *, functions_only: bool = True) -> Iterator[Symbol]:
        """All defined symbols, each name and address once."""
        seen: set[tuple[int, str]] = set()
        for table in self.symbol_tables():
            strings = self.sections[table.link].offset
            raw = self.bytes_of(table)
            for entry in SYMBOL.iter_unpack(raw[: len(raw) // SYMBOL.size * SYMBOL.size]):
                kind = entry[1] & 15
                if kind not in FUNCTION_TYPES and (functions_only or kind != _OBJECT_TYPE):
                    continue
                symbol = self._symbol(entry, name=self.text_at(strings + entry[0]))
                if symbol and symbol.name and (symbol.address, symbol.name) not in seen:
                    seen.add((symbol.address, symbol.name))
                    yield symbol

    @cached_property
    def build_id(self) -> str:
        """In hexadecimal; "" without one."""
        for owner, kind, description in self.notes(".note.gnu.build-id"):
            if owner == b"GNU" and kind == 3:
                return description.hex()
        return ""

    @cached_property
    def debug_link(self) -> str:
        """The file name that .gnu_debuglink gives; ""."""
        section = self.section(".gnu_debuglink")
        return self.bytes_of(section).split(b"\0")[0].decode("utf-8", "replace") if section else ""

    @cached_property
    def debug_link_checksum(self) -> int | None:
        """CRC-32 of the file that .gnu_debuglink names."""
        section = self.section(".gnu_debuglink")
        raw = self.bytes_of(section) if section else b""
        return int.from_bytes(raw[-4:], "little") if len(raw) >= 8 else None

    def notes(self, section_name: str) -> Iterator[tuple[bytes, int, bytes]]:
        """(owner, type, description) of each note in a section."""
        section = self.section(section_name)
        raw = self.bytes_of(section) if section else b""
        position = 0
        while position + 12 <= len(raw):
            name_size, description_size, kind = struct.unpack_from("<III", raw, position)
            start = position + 12
            description = start + (name_size + 3) // 4 * 4
            yield raw[start : start + name_size].rstrip(b"\0"), kind, raw[description : description + description_size]
            position = description + (description_size + 3) // 4 * 4

    # --- inside -----------------------------------------------------------------------------------------------

    def _header(self, layout: str, offset: int, fields: tuple[int, ...]) -> tuple[int, ...]:
        values = struct.unpack_from(layout, self.data, offset)
        return tuple(values[index] for index in fields)

    def symbol_tables(self) -> list[Section]:
        return [
            item
            for item in self.sections
            if item.name in (".symtab", ".dynsym") and item.type != _SHT_NOBITS and item.link < len(self.sections)
        ]

    def _symbol(self, entry: tuple[int, ...], *, name: str) -> Symbol | None:
        _, info, _, section, address, size = entry
        kind = info & 15
        if section == 0 or address == 0 or kind not in (*FUNCTION_TYPES, _OBJECT_TYPE, 0):
            return None
        return Symbol(name, address, size, kind in FUNCTION_TYPES)

    def text_at(self, offset: int) -> str:
        """Up to the zero byte; "" where there is none."""
        if not 0 <= offset < len(self.data):
            return ""
        end = self.data.find(b"\0", offset)
        return self.data[offset:end].decode("utf-8", "replace") if end >= 0 else ""


def _mapped(path: Path) -> mmap.mmap:
    try:
        # A container's file may be a pipe, whose opening would wait for a writer.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise ElfError(f"{path} is not a file")
            return mmap.mmap(descriptor, 0, prot=mmap.PROT_READ, flags=mmap.MAP_PRIVATE)
        finally:
            os.close(descriptor)
    except ValueError as error:  # an empty file can't be mapped
        raise ElfError(f"{path} is not an ELF file") from error
    except OSError as error:
        raise ElfError(f"{path}: {error.strerror}") from error
