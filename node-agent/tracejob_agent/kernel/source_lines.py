"""Lines of source code as addresses: "shop.c:22" and a binary's line tables in, its first instruction's address out."""

from __future__ import annotations

import os.path
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from elftools.dwarf.compileunit import CompileUnit
    from elftools.dwarf.dwarfinfo import DWARFInfo
    from elftools.dwarf.lineprogram import LineProgram


class LineNotFound(Exception):
    """The message says why, as bpftrace does."""


@dataclass(frozen=True, slots=True)
class SourceLine:
    """file: a path or the end of one. column 0: any."""

    file: str
    line: int
    column: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" + (f":{self.column}" if self.column else "")


def address_of_line(info: DWARFInfo, wanted: SourceLine) -> int:
    """The lowest address that belongs to exactly this line. Raises LineNotFound."""
    paths: set[str] = set()
    addresses: list[int] = []
    known = False
    for unit in info.iter_CUs():
        program = info.line_program_for_CU(unit)
        if program is None:
            continue
        numbers = {number: path for number, path in _files(unit, program) if _fits(path, wanted.file)}
        if numbers:
            rows = list(_addresses(program, wanted, set(numbers)))
            known = True
            paths.update(numbers[number] for _, number in rows)
            addresses += [address for address, _ in rows]
    if not known:
        raise LineNotFound(f"DWARF error: No compilation unit matches {wanted.file}")
    if not addresses:
        raise LineNotFound(f"DWARF error: Unable to map '{wanted}' to address")
    if len(paths) > 1:
        raise LineNotFound(f"DWARF error: Ambiguous source path, matches multiple files: {', '.join(sorted(paths))}")
    return min(addresses)


def _fits(path: str, wanted: str) -> bool:
    plain = os.path.normpath(wanted)
    return path == plain or path.endswith(f"/{plain}")


def _files(unit: CompileUnit, program: LineProgram) -> Iterator[tuple[int, str]]:
    """(number in the line table, whole path). Until DWARF 4 both tables count from 1; folder 0 is the unit's own."""
    header = program.header
    new = header["version"] >= 5
    attribute = unit.get_top_DIE().attributes.get("DW_AT_comp_dir")
    home = attribute.value.decode("utf-8", "replace") if attribute else ""
    folders = [_text(item) for item in header["include_directory"]]
    if not new:
        folders.insert(0, home)
    for number, entry in enumerate(header["file_entry"], start=0 if new else 1):
        folder = folders[entry["dir_index"]] if entry["dir_index"] < len(folders) else ""
        yield number, os.path.normpath(os.path.join(home, folder, _text(entry["name"])))  # noqa: PTH118  # normpath has no twin in pathlib


def _text(value: bytes | str) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def _addresses(program: LineProgram, wanted: SourceLine, files: set[int]) -> Iterator[tuple[int, int]]:
    for entry in program.get_entries():
        row = entry.state
        if row is None or row.end_sequence or row.line != wanted.line or row.file not in files or not row.is_stmt:
            continue
        if wanted.column in (0, row.column):
            yield row.address, row.file
