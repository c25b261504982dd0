"""Split debugging information: of a skeleton unit in a binary, the whole unit in a .dwo file or in a .dwp package.

-gsplit-dwarf leaves in the binary only addresses and a file name. A package holds many such files, and an index by the
unit's id that says which part of each section is whose (DWARF 5, section 7.3.5).
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tracejob_agent.kernel.elf import Elf, ElfError
from tracejob_agent.kernel.root_paths import resolve_inside

if TYPE_CHECKING:
    from elftools.dwarf.compileunit import CompileUnit
    from elftools.dwarf.die import DIE

_DWO_NAMES = ("DW_AT_dwo_name", "DW_AT_GNU_dwo_name")
_COLUMNS = {1: "info", 3: "abbrev", 5: "loclists", 6: "str_offsets", 8: "rnglists"}
"""Sections by their numbers in a package's index."""
_BASES = {"DW_AT_str_offsets_base": 8, "DW_AT_loclists_base": 12, "DW_AT_rnglists_base": 12}
"""A split unit doesn't say where its tables begin: behind the headers of their sections."""
_MOST_UNITS = 1 << 20

Parts = dict[str, bytes]
"""Contents of sections, by their names without ".debug_" and ".dwo"."""


def dwo_name(top: DIE) -> str:
    """The file that a unit's contents are in; "" of one that has its own."""
    found = next((top.attributes[name] for name in _DWO_NAMES if name in top.attributes), None)
    return found.value.decode("utf-8", "replace") if found else ""


def split_unit(skeleton: CompileUnit, binary: Path, root: Path) -> CompileUnit | None:
    """The unit that the skeleton stands for. root: the file system that the unit's paths are paths of."""
    top = skeleton.get_top_DIE()
    identifier = skeleton.header.get("dwo_id")
    for parts in _found(top, binary, root, identifier):
        unit = _unit(parts, skeleton)
        if unit is not None and identifier in (None, unit.header.get("dwo_id")):
            return unit
    return None


def _found(top: DIE, binary: Path, root: Path, identifier: int | None) -> Iterator[Parts]:
    with suppress(ElfError):
        package = Elf(binary.with_name(f"{binary.name}.dwp"))
        parts = _packaged(package, identifier) if identifier is not None else None
        if parts is not None:
            yield parts
    name = dwo_name(top)
    folder = top.attributes.get("DW_AT_comp_dir")
    home = folder.value.decode("utf-8", "replace") if folder else ""
    for path in (resolve_inside(str(Path(home) / name), root), binary.parent / Path(name).name):
        with suppress(ElfError):
            elf = Elf(path)
            yield {part: _section(elf, part) for part in ("str", *_COLUMNS.values())}


def _section(elf: Elf, part: str) -> bytes:
    section = elf.section(f".debug_{part}.dwo")
    return elf.bytes_of(section) if section else b""


def _packaged(package: Elf, identifier: int) -> Parts | None:
    """One unit's share of a package."""
    section = package.section(".debug_cu_index")
    index = package.bytes_of(section) if section else b""
    with suppress(struct.error):
        _, kinds, units, slots = struct.unpack_from("<IIII", index)
        if max(kinds, units, slots) > _MOST_UNITS:
            return None
        signatures = struct.unpack_from(f"<{slots}Q", index, 16)
        rows = struct.unpack_from(f"<{slots}I", index, 16 + 8 * slots)
        row = next((row for signature, row in zip(signatures, rows, strict=True) if row and signature == identifier), 0)
        if not row:
            return None
        table = 16 + 12 * slots
        columns = struct.unpack_from(f"<{kinds}I", index, table)
        offsets = struct.unpack_from(f"<{kinds}I", index, table + 4 * kinds * row)
        sizes = struct.unpack_from(f"<{kinds}I", index, table + 4 * kinds * (units + row))
        share = {kind: (offset, size) for kind, offset, size in zip(columns, offsets, sizes, strict=True)}
        parts = {"str": _section(package, "str")}
        for kind, part in _COLUMNS.items():
            offset, size = share.get(kind, (0, 0))
            parts[part] = _section(package, part)[offset : offset + size]
        return parts
    return None


def _unit(parts: Parts, skeleton: CompileUnit) -> CompileUnit | None:
    """The first unit of the sections that is code's, ready to be read. Addresses stay in the skeleton's file."""
    from elftools.common.exceptions import DWARFError
    from elftools.dwarf.die import AttributeValue
    from elftools.dwarf.dwarfinfo import DebugSectionDescriptor, DwarfConfig, DWARFInfo

    given = {
        f"debug_{part}_sec": DebugSectionDescriptor(io.BytesIO(data), part, 0, len(data), 0)
        for part, data in parts.items()
    }
    lacking = dict.fromkeys(
        f"{name}_sec"
        for name in (
            "debug_aranges", "debug_frame", "eh_frame", "debug_loc", "debug_ranges", "debug_line", "debug_pubtypes",
            "debug_pubnames", "debug_line_str", "debug_sup", "debug_types", "gnu_debugaltlink",
        )
    )  # fmt: skip
    addresses = skeleton.dwarfinfo.debug_addr_sec
    sections: dict[str, Any] = {**given, **lacking, "debug_addr_sec": addresses}
    info = DWARFInfo(DwarfConfig(True, "x64", 8), **sections)
    base = skeleton.get_top_DIE().attributes.get("DW_AT_addr_base")
    for unit in info.iter_CUs():
        with suppress(DWARFError):
            unit.get_top_DIE()  # names in it can't be read yet
        top = unit.get_top_DIE()
        for name, value in {**_BASES, "DW_AT_addr_base": base.value if base else 0}.items():
            top.attributes.setdefault(name, AttributeValue(name, "DW_FORM_sec_offset", value, value, 0, 0))
        if top.tag == "DW_TAG_compile_unit":
            return unit
    return None
