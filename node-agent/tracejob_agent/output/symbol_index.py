"""Functions of one binary by address, for binaries with any number of them.

A word for each function holds its address and which entry of the file's tables it is: node's 150,000 symbols take
1.2 MB and 0.1 s. Sizes and names are read from the mapped file when an address is asked for.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Protocol

from tracejob_agent.kernel.debug_files import debug_file, embedded_symbols
from tracejob_agent.kernel.elf import FUNCTION_TYPES, SYMBOL, Elf, ElfError, Section
from tracejob_agent.kernel.go_functions import GoFunctions, go_functions

_INDEX_BITS = 24
_INDEX_MASK = (1 << _INDEX_BITS) - 1
_LARGEST_ADDRESS = 1 << 40


class Source(Protocol):
    """A table of functions. at(index) gives (size, name) of an entry."""

    def words(self, base: int) -> Iterator[int]:
        """address << 24 | base + index."""

    def at(self, index: int) -> tuple[int, str]: ...

    def __len__(self) -> int: ...


class SymbolSource:
    """.symtab or .dynsym of a file."""

    def __init__(self, elf: Elf, table: Section) -> None:
        self._elf = elf
        self._table = table
        self._strings = elf.sections[table.link].offset

    def __len__(self) -> int:
        return self._table.size // SYMBOL.size

    def words(self, base: int) -> Iterator[int]:
        raw = self._elf.bytes_of(self._table)[: len(self) * SYMBOL.size]
        for number, (name, info, _, section, address, _) in enumerate(SYMBOL.iter_unpack(raw), base):
            if info & 15 in FUNCTION_TYPES and section and name and 0 < address < _LARGEST_ADDRESS:
                yield address << _INDEX_BITS | number

    def at(self, index: int) -> tuple[int, str]:
        name, _, _, _, _, size = SYMBOL.unpack_from(self._elf.data, self._table.offset + index * SYMBOL.size)
        return size, self._elf.text_at(self._strings + name)


class GoSource:
    """The table of a Go binary's runtime."""

    def __init__(self, functions: GoFunctions) -> None:
        self._functions = functions
        self.at = functions.at

    def __len__(self) -> int:
        return self._functions.count

    def words(self, base: int) -> Iterator[int]:
        for number, address in enumerate(self._functions.addresses(), base):
            if 0 < address < _LARGEST_ADDRESS:
                yield address << _INDEX_BITS | number


class SymbolIndex:
    """elf None: the file can't be read (any more), or isn't a binary. root: where its debug file is looked for."""

    def __init__(self, path: Path, root: Path) -> None:
        """Opens the file, which may be gone a moment later; its tables are read when an address is first asked for."""
        self.elf: Elf | None = None
        self._root = root
        self._sources: list[tuple[int, Source]] = []
        with suppress(ElfError):
            self.elf = Elf(path)

    def resolve(self, file_offset: int) -> tuple[str, int] | None:
        """(name, offset into it) of the function at a place in the file."""
        try:
            address = self.elf.address_of_offset(file_offset) if self.elf else None
        except ElfError:  # damaged
            return None
        if address is None:
            return None
        last = bisect_right(self._words, address << _INDEX_BITS | _INDEX_MASK) - 1
        if last < 0:
            return None
        start = self._words[last] >> _INDEX_BITS
        # Of several names of a place, the one that the file has first.
        size, name = self._at(self._words[bisect_left(self._words, start << _INDEX_BITS)] & _INDEX_MASK)
        return (name, address - start) if name and (not size or address < start + size) else None

    @cached_property
    def _words(self) -> array[int]:
        base = 0
        words: list[int] = []
        with suppress(ElfError):
            for source in _sources(self.elf, self._root) if self.elf else ():
                if base + len(source) > _INDEX_MASK:
                    break
                self._sources.append((base, source))
                words.extend(source.words(base))
                base += len(source)
        words.sort()
        return array("Q", words)

    def _at(self, number: int) -> tuple[int, str]:
        position = bisect_right(self._sources, number, key=lambda item: item[0]) - 1
        base, source = self._sources[position]
        return source.at(number - base)


def _sources(elf: Elf, root: Path) -> Iterator[Source]:
    separate = debug_file(elf, root) or embedded_symbols(elf)
    for file in (elf, separate) if separate else (elf,):
        for table in file.symbol_tables():
            yield SymbolSource(file, table)
    functions = go_functions(elf) if not elf.section(".symtab") else None
    if functions is not None:
        yield GoSource(functions)
