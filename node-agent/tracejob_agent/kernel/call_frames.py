"""Call frame information (.eh_frame) of a binary as rows of an unwind table: see `tracelang.unwinding`.

The parts of DWARF that compilers emit for x86-64; what goes beyond (expressions other than those of procedure linkage
tables, frames of signal handlers) becomes a row that ends the stack. A binary is hostile input: whatever is wrong in it
ends the parsing of that part.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from tracejob_agent.kernel.elf import Elf
from tracelang.unwinding import Base

_BP, _SP, _RETURN = 6, 7, 16  # DWARF's numbers of x86-64's registers
_BASES = {_SP: Base.SP, _BP: Base.BP}
_PLT_EXPRESSION = bytes.fromhex("7708 8000 3f1a 3b2a 3324 22".replace(" ", ""))
_PCREL = 0x10
_POINTERS = {0x0: "Q", 0x2: "H", 0x3: "I", 0x4: "Q", 0xA: "h", 0xB: "i", 0xC: "q"}
_LONGEST_NUMBER = 63  # bits
_MOST = 1 << 32

Row = tuple[int, int, int, int]
"""(address, frame, saved, base); addresses are the file's own."""


@dataclass(frozen=True, slots=True)
class _Common:
    """A CIE: what the descriptions of many functions share."""

    code_unit: int
    data_unit: int
    encoding: int
    has_augmentation: bool
    program: bytes


@dataclass(frozen=True, slots=True)
class _Rule:
    base: Base = Base.UNKNOWN
    frame: int = 0
    saved: int = 0
    is_last: bool = False  # the return address is undefined

    def row(self, address: int) -> Row:
        fits = max(abs(self.frame), abs(self.saved)) < 1 << 31
        if self.is_last or self.base is Base.UNKNOWN or not fits:
            return (address, 0, 0, Base.UNKNOWN)
        return (address, self.frame, self.saved, self.base)


class CallFrameError(Exception):
    """What can't be read."""


@dataclass(slots=True)
class _Reader:
    data: bytes
    position: int = 0
    address: int = 0  # where the data begins, for pointers relative to their own place

    def take(self, layout: str) -> int:
        size = struct.calcsize(f"<{layout}")
        (number,) = struct.unpack_from(f"<{layout}", self.data, self.position)
        self.position += size
        return int(number)

    def uleb(self) -> int:
        result = shift = 0
        while True:
            byte = self.data[self.position]
            self.position += 1
            result |= (byte & 0x7F) << shift
            shift += 7
            if not byte & 0x80:
                return result
            if shift > _LONGEST_NUMBER:
                raise CallFrameError("a number without an end")

    def sleb(self) -> int:
        start = self.position
        result = self.uleb()
        bits = 7 * (self.position - start)
        return result - (1 << bits) if self.data[self.position - 1] & 0x40 else result

    def block(self) -> bytes:
        size = self.uleb()
        self.position += size
        return self.data[self.position - size : self.position]

    def text(self) -> bytes:
        end = self.data.index(0, self.position)
        found = self.data[self.position : end]
        self.position = end + 1
        return found

    def pointer(self, encoding: int) -> int:
        base = self.address + self.position if encoding & 0x70 == _PCREL else 0
        if encoding & 0xE0 or encoding & 0xF not in _POINTERS:
            raise CallFrameError(f"pointers of kind {encoding:#x}")
        return (base + self.take(_POINTERS[encoding & 0xF])) % (1 << 64)


def unwind_rows(elf: Elf) -> list[Row]:
    """All rows of a binary."""
    section = elf.section(".eh_frame")
    return rows_of(elf.bytes_of(section), section.address) if section is not None else []


def rows_of(data: bytes, address: int) -> list[Row]:
    """The rows of an .eh_frame at that address, in order; behind each function stands one that ends the stack."""
    rows: dict[int, Row] = {}
    ends: set[int] = set()
    for start, size, found in _functions(data, address):
        if 0 < start < start + size < _MOST:
            rows.update((row[0], row) for row in found if row[0] < start + size)
            ends.add(start + size)
    for end in ends:
        rows.setdefault(end, (end, 0, 0, Base.UNKNOWN))
    return [rows[address] for address in sorted(rows)]


def _functions(data: bytes, address: int) -> Iterator[tuple[int, int, list[Row]]]:
    """(start, size, rows) of each FDE."""
    commons: dict[int, _Common | None] = {}
    position = 0
    while position + 8 <= len(data):
        (length,) = struct.unpack_from("<I", data, position)
        begin = position + 4
        if length in (0, 0xFFFFFFFF):
            return
        position = begin + length
        (identity,) = struct.unpack_from("<I", data, begin)
        where = begin - identity
        try:
            if identity == 0:
                commons[begin - 4] = _common(data[begin + 4 : position])
                continue
            common = commons.get(where)
            if common is None:
                continue
            reader = _Reader(data[begin + 4 : position], address=address + begin + 4)
            start = reader.pointer(common.encoding)
            size = reader.pointer(common.encoding & 0xF)
            if common.has_augmentation:
                reader.block()
            yield start, size, list(_rows(common, reader, start))
        except (CallFrameError, IndexError, ValueError, struct.error):
            if identity == 0:
                commons[begin - 4] = None


def _common(data: bytes) -> _Common:
    reader = _Reader(data)
    reader.take("B")
    augmentation = reader.text()
    code_unit, data_unit = reader.uleb(), reader.sleb()
    if reader.uleb() != _RETURN:
        raise CallFrameError("a return address elsewhere")
    encoding = 0
    if augmentation.startswith(b"z"):
        inner = _Reader(reader.block())
        for letter in augmentation[1:]:
            match chr(letter):
                case "R":
                    encoding = inner.take("B")
                case "L":
                    inner.take("B")
                case "P":
                    inner.pointer(inner.take("B") & 0xF)
                case "B" | "S":
                    pass
                case _:
                    raise CallFrameError(f"augmentation {augmentation!r}")
    elif augmentation:
        raise CallFrameError(f"augmentation {augmentation!r}")
    return _Common(code_unit, data_unit, encoding, augmentation.startswith(b"z"), reader.data[reader.position :])


@dataclass(slots=True)
class _Machine:
    """Runs the instructions of one function."""

    common: _Common
    rule: _Rule = field(default_factory=_Rule)
    initial: _Rule = field(default_factory=_Rule)
    kept: list[_Rule] = field(default_factory=list)

    def step(self, reader: _Reader) -> int:
        """One instruction; gives how far it moves on in the code."""
        byte = reader.take("B")
        high, low = byte & 0xC0, byte & 0x3F
        unit = self.common.data_unit
        match high or byte:
            case 0x40:
                return low * self.common.code_unit
            case 0x80:
                self._saved(low, reader.uleb() * unit)
            case 0xC0:
                self._restored(low)
            case 0x02 | 0x03 | 0x04:
                return reader.take("BHI"[byte - 2]) * self.common.code_unit
            case 0x05:
                self._saved(reader.uleb(), reader.uleb() * unit)
            case 0x11:
                self._saved(reader.uleb(), reader.sleb() * unit)
            case 0x06:
                self._restored(reader.uleb())
            case 0x07:
                if reader.uleb() == _RETURN:
                    self.rule = replace(self.rule, is_last=True)
            case 0x08:
                self._restored(reader.uleb())
            case 0x09:
                self._lost(reader.uleb())
                reader.uleb()
            case 0x0A:
                self.kept.append(self.rule)
            case 0x0B:
                self.rule = self.kept.pop()
            case 0x0C:
                self._framed(reader.uleb(), reader.uleb())
            case 0x12:
                self._framed(reader.uleb(), reader.sleb() * unit)
            case 0x0D:
                self._framed(reader.uleb(), self.rule.frame)
            case 0x0E:
                self.rule = replace(self.rule, frame=reader.uleb())
            case 0x13:
                self.rule = replace(self.rule, frame=reader.sleb() * unit)
            case 0x0F:
                base = Base.PLT if reader.block() == _PLT_EXPRESSION else Base.UNKNOWN
                self.rule = replace(self.rule, base=base, frame=8)
            case 0x10 | 0x16:
                self._lost(reader.uleb())
                reader.block()
            case 0x2E:
                reader.uleb()
            case 0x00:
                pass
            case _:
                raise CallFrameError(f"instruction {byte:#x}")
        return 0

    def _framed(self, register: int, offset: int) -> None:
        self.rule = replace(self.rule, base=_BASES.get(register, Base.UNKNOWN), frame=offset)

    def _saved(self, register: int, offset: int) -> None:
        if register == _BP:
            self.rule = replace(self.rule, saved=offset)

    def _restored(self, register: int) -> None:
        if register == _BP:
            self.rule = replace(self.rule, saved=self.initial.saved)

    def _lost(self, register: int) -> None:
        if register in (_BP, _RETURN):
            self.rule = replace(self.rule, is_last=True)


def _rows(common: _Common, reader: _Reader, start: int) -> Iterator[Row]:
    machine = _Machine(common)
    program = _Reader(common.program)
    while program.position < len(program.data):
        machine.step(program)
    machine.initial = machine.rule
    address = start
    while reader.position < len(reader.data):
        before = machine.rule
        moved = machine.step(reader)
        if moved:
            yield before.row(address)
            address += moved
    yield machine.rule.row(address)
