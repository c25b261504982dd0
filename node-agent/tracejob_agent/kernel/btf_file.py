"""The kernel's type information as stored: /sys/kernel/btf/* in, records by id and by name out.

The file holds some 130,000 records of varying length, so it has to be walked once to know where each begins. That walk
(about 80 ms) is kept in a small index per kernel build; with it a first look-up takes a few milliseconds.
"""

from __future__ import annotations

import mmap
import os
import struct
from array import array
from bisect import bisect_right
from collections.abc import Iterator
from enum import IntEnum

from tracejob_agent.kernel.cache import read_cached, write_cached
from tracelang.structs import Struct

KERNEL_BTF = "/sys/kernel/btf/vmlinux"
MAGIC = 0xEB9F
INDEX_VERSION = b"TJBTF1\0\0"
_FEW_FUNCTIONS = 100


class Kind(IntEnum):
    VOID = 0
    INT = 1
    PTR = 2
    ARRAY = 3
    STRUCT = 4
    UNION = 5
    ENUM = 6
    FWD = 7
    TYPEDEF = 8
    VOLATILE = 9
    CONST = 10
    RESTRICT = 11
    FUNC = 12
    FUNC_PROTO = 13
    VAR = 14
    DATASEC = 15
    FLOAT = 16
    DECL_TAG = 17
    TYPE_TAG = 18
    ENUM64 = 19


# 32-bit words behind the three-word header of each kind: a fixed part, and a part per `vlen`.
_FIXED_WORDS = (0, 1, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 1, 0, 0)
_WORDS_PER_ENTRY = (0, 0, 0, 0, 3, 3, 2, 0, 0, 0, 0, 0, 0, 2, 0, 3, 0, 0, 0, 3)


class BtfError(Exception):
    """The type information is missing or isn't what it says it is."""


class Record(Struct, frozen=True):
    """One BTF record's header. `size_or_type`: bytes of a sized kind, the referred id of others."""

    id: int
    kind: Kind
    name: str
    vlen: int
    flag: bool
    size_or_type: int


class BtfFile:
    """Type information of the kernel, or of a module on top of its `base`."""

    def __init__(self, data: bytes | mmap.mmap, *, base: BtfFile | None = None, cache_key: str = "") -> None:
        if len(data) < 24:
            raise BtfError("too short for BTF")
        magic, _, _, header, type_offset, type_length, string_offset, string_length = struct.unpack_from(
            "<HBBIIIII", data, 0
        )
        if magic != MAGIC:
            raise BtfError("not BTF: wrong magic number")
        self._data = data
        self._base = base
        self._types: int = header + type_offset
        self._strings: int = header + string_offset
        self._strings_end: int = self._strings + string_length
        self.first_id = base.end_id if base else 1
        self._first_string = base.string_end if base else 0
        self.string_end: int = self._first_string + string_length
        self._words, self._names = self._load_index(type_length=type_length, cache_key=cache_key)
        self.end_id: int = self.first_id + len(self._words)
        self._functions_sought = 0
        self._functions: dict[str, int] | None = None

    def record(self, type_id: int) -> Record:
        if type_id < self.first_id:
            return self._base.record(type_id) if self._base else Record(0, Kind.VOID, "", 0, False, 0)
        name, info, size_or_type = struct.unpack_from("<III", self._data, self._position(type_id))
        return Record(type_id, Kind(info >> 24 & 31), self.string(name), info & 0xFFFF, bool(info >> 31), size_or_type)

    def words(self, type_id: int) -> tuple[int, ...]:
        """What follows the record's header, as 32-bit words."""
        if type_id < self.first_id:
            return self._base.words(type_id) if self._base else ()
        position = self._position(type_id)
        info = struct.unpack_from("<I", self._data, position + 4)[0]
        count = _FIXED_WORDS[info >> 24 & 31] + _WORDS_PER_ENTRY[info >> 24 & 31] * (info & 0xFFFF)
        return struct.unpack_from(f"<{count}I", self._data, position + 12)

    def string(self, offset: int) -> str:
        if offset < self._first_string and self._base:
            return self._base.string(offset)
        start = self._strings + offset - self._first_string
        if not self._strings <= start < self._strings_end:
            return ""
        return self._data[start : self._data.find(b"\0", start)].decode("utf-8", "replace")

    def ids_named(self, name: str) -> Iterator[int]:
        """Ids of all records with this name, of every kind, the base's first."""
        if self._base:
            yield from self._base.ids_named(name)
        offsets = list(self._string_offsets(name))
        if self._base:
            offsets += self._base._string_offsets(name)
        for offset in offsets:
            yield from self._ids_with_name_offset(offset)

    def find(self, name: str, *kinds: Kind) -> Record | None:
        """The first record of one of `kinds` with this name."""
        for type_id in self.ids_named(name):
            record = self.record(type_id)
            if record.kind in kinds:
                return record
        return None

    def function(self, name: str) -> Record | None:
        """The function with this name."""
        # One look-up searches the text, in half a millisecond; a pattern that means all functions asks 60,000 times.
        self._functions_sought += 1
        if self._functions_sought <= _FEW_FUNCTIONS:
            return self.find(name, Kind.FUNC)
        if self._base and (found := self._base.function(name)):
            return found
        if self._functions is None:  # of those with one name it is the first, as find() has it
            ids = list(self.ids_of_kind(Kind.FUNC))
            self._functions = {self.name_of_id(type_id): type_id for type_id in reversed(ids)}
        type_id = self._functions.get(name)
        return None if type_id is None else self.record(type_id)

    def enumeration_with(self, constant: str) -> tuple[int, Record] | None:
        """The value of an enum constant, and the enum that holds it."""
        if self._base and (found := self._base.enumeration_with(constant)):
            return found
        for offset in self._string_offsets(constant):
            pattern = struct.pack("<I", offset)
            end = self._strings if self._strings > self._types else len(self._data)
            position = self._data.find(pattern, self._types, end)
            while position >= 0:
                if (position - self._types) % 4 == 0 and (hit := self._constant_at((position - self._types) // 4)):
                    return hit
                position = self._data.find(pattern, position + 1, end)
        return None

    def ids_of_kind(self, *kinds: Kind) -> Iterator[int]:
        wanted = set(kinds)
        for number, word in enumerate(self._words):
            info = struct.unpack_from("<I", self._data, self._types + 4 * word + 4)[0]
            if info >> 24 & 31 in wanted:
                yield self.first_id + number

    def name_of_id(self, type_id: int) -> str:
        return self.string(struct.unpack_from("<I", self._names, 4 * (type_id - self.first_id))[0])

    # --- inside -----------------------------------------------------------------------------------------------

    def _position(self, type_id: int) -> int:
        index = type_id - self.first_id
        if index >= len(self._words):
            raise BtfError(f"no BTF record {type_id}")
        return self._types + 4 * self._words[index]

    def _string_offsets(self, name: str) -> Iterator[int]:
        if not name:
            return
        pattern = b"\0" + name.encode() + b"\0"
        position = self._data.find(pattern, self._strings, self._strings_end)
        if position >= 0:  # strings are stored once
            yield position + 1 - self._strings + self._first_string

    def _ids_with_name_offset(self, offset: int) -> Iterator[int]:
        pattern = struct.pack("<I", offset)
        position = self._names.find(pattern)
        while position >= 0:
            if position % 4 == 0:
                yield self.first_id + position // 4
            position = self._names.find(pattern, position + 1)

    def _constant_at(self, word: int) -> tuple[int, Record] | None:
        index = bisect_right(self._words, word) - 1
        if index < 0:
            return None
        record = self.record(self.first_id + index)
        inside = word - self._words[index] - 3
        per_entry = {Kind.ENUM: 2, Kind.ENUM64: 3}.get(record.kind)
        if per_entry is None or inside < 0 or inside % per_entry:
            return None
        for name, value in enum_constants(self, record):
            if name == self.string(self.words(record.id)[inside]):
                return value, record
        return None

    def _load_index(self, *, type_length: int, cache_key: str) -> tuple[array[int], bytes]:
        key = f"btf-{cache_key}-{len(self._data)}" if cache_key else ""
        cached = read_cached(key) if key else None
        if cached and cached.startswith(INDEX_VERSION) and (len(cached) - 8) % 8 == 0:
            half = 8 + (len(cached) - 8) // 2
            starts = array("I")
            starts.frombytes(cached[8:half])
            return starts, cached[half:]
        starts, names = _walk(self._data[self._types : self._types + type_length])
        if key:
            write_cached(key, INDEX_VERSION + starts.tobytes() + names)
        return starts, names


def enum_constants(btf: BtfFile, record: Record) -> tuple[tuple[str, int], ...]:
    """(name, value) of an enum's constants; `record.flag` says signed."""
    words = btf.words(record.id)
    if record.kind is Kind.ENUM:
        pairs = zip(words[0::2], words[1::2], strict=True)
        bits = 32
    else:
        pairs = zip(words[0::3], (lo | hi << 32 for lo, hi in zip(words[1::3], words[2::3], strict=True)), strict=True)
        bits = 64
    limit = 1 << (bits - 1)
    return tuple(
        (btf.string(name), value - (limit << 1) if record.flag and value >= limit else value) for name, value in pairs
    )


def _walk(types: bytes) -> tuple[array[int], bytes]:
    """Where each record starts, in words from the type section's start, and its name's offset."""
    words = array("I", types)
    lengths = tuple(3 + fixed for fixed in _FIXED_WORDS)
    per_entry = _WORDS_PER_ENTRY
    starts = array("I")
    names = array("I")
    add_start, add_name = starts.append, names.append
    position, end = 0, len(words)
    while position < end:
        info = words[position + 1]
        kind = info >> 24 & 31
        if kind > Kind.ENUM64:
            raise BtfError(f"unknown BTF kind {kind}")
        add_start(position)
        add_name(words[position])
        position += lengths[kind] + per_entry[kind] * (info & 0xFFFF)
    return starts, names.tobytes()


def kernel_build() -> str:
    """A short name of the running kernel's build, for caches."""
    try:
        notes = _bytes("/sys/kernel/notes")
    except OSError:
        notes = b""
    start = notes.find(b"GNU\0")  # of the note that holds the build id: {4, length, 3, "GNU", id}
    while start >= 12:
        name_length, length, kind = struct.unpack_from("<III", notes, start - 12)
        if (name_length, kind) == (4, 3):
            return notes[start + 4 : start + 4 + length].hex()
        start = notes.find(b"GNU\0", start + 1)
    return "-".join(os.uname()[2:5]).replace("/", "_").replace(" ", "_")


def open_kernel_btf(path: str = KERNEL_BTF) -> BtfFile:
    """The kernel's own type information; BtfError when this kernel has none."""
    try:
        return BtfFile(_map_or_read(path), cache_key=kernel_build())
    except OSError as error:
        raise BtfError(f"{path}: {error.strerror}") from error


class KernelNames:
    """Whether the kernel's types know a name, of whatever kind: without the index, which takes 35 ms to make once."""

    def __init__(self, path: str = KERNEL_BTF) -> None:
        try:
            self._data = _map_or_read(path)
        except OSError:
            self._data = b""

    def __contains__(self, name: str) -> bool:
        return self._data.find(b"\0" + name.encode() + b"\0") >= 0


def open_module_btf(module: str, base: BtfFile) -> BtfFile | None:
    """A module's own records on top of the kernel's; None for what isn't loaded or has none."""
    if "/" in module:
        return None
    try:
        return BtfFile(_bytes(f"/sys/kernel/btf/{module}"), base=base)
    except (OSError, BtfError):
        return None


def _bytes(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def _map_or_read(path: str) -> bytes | mmap.mmap:
    with open(path, "rb") as file:
        try:
            # Kernels from 6.16 (a539e2a6d51d) let it be mapped, privately and read-only.
            return mmap.mmap(file.fileno(), 0, flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ)
        except (OSError, ValueError):
            return file.read()
