"""A binary's own types: DWARF in, the language's signatures and layouts out.

pyelftools is imported when first needed.
"""

from __future__ import annotations

import io
import mmap
import struct
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path
from typing import IO, TYPE_CHECKING, TypeVar, cast

from tracejob_agent.kernel.dies import (
    FLOATS,
    POINTERS,
    REFERENCES,
    STRUCTS,
    TRANSPARENT,
    beneath,
    byte_size,
    name_of,
    offset_of,
    origin_of,
    type_of,
)
from tracejob_agent.kernel.passed import passed
from tracejob_agent.kernel.passing import spots
from tracejob_agent.kernel.source_lines import SourceLine, address_of_line
from tracejob_agent.kernel.split_dwarf import dwo_name, split_unit
from tracelang.facts import Layout, Member, Parameter, Signature
from tracelang.types import (
    VOID,
    AddressSpace,
    ArrayType,
    BoolType,
    EnumType,
    FloatType,
    IntType,
    PointerType,
    StringType,
    StructType,
    Type,
)

if TYPE_CHECKING:
    from elftools.dwarf.aranges import ARanges
    from elftools.dwarf.compileunit import CompileUnit
    from elftools.dwarf.die import DIE
    from elftools.dwarf.dwarfinfo import DWARFInfo

Answer = TypeVar("Answer")
Definitions = dict[tuple[str, str], "DIE"]

_NAMED = {"DW_TAG_subprogram", "DW_TAG_typedef", "DW_TAG_base_type", "DW_TAG_enumeration_type", *STRUCTS}
_BOOLEAN, _SIGNED, _SIGNED_CHAR = 2, 5, 6


class DwarfTypes:
    """Look-ups over one file's debugging information; all give None when it has none."""

    def __init__(self, path: Path, root: Path = Path("/")) -> None:
        """root: the file system that paths in the debugging information are paths of."""
        from elftools.common.exceptions import ELFError
        from elftools.elf.elffile import ELFFile

        self._layouts: dict[str, Layout | None] = {}
        self._anonymous: dict[str, DIE] = {}
        self._info: DWARFInfo | None = None
        self._path, self._root = path, root
        self._split: dict[int, CompileUnit] = {}
        self._defined: dict[int, Definitions] = {}
        try:
            with path.open("rb") as file:
                # Mapped: a binary may be large, and only some of it is read.
                mapped = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ, flags=mmap.MAP_PRIVATE)
            elf = ELFFile(cast("IO[bytes]", mapped))  # it only reads and seeks
            if elf.has_dwarf_info(strict=True):
                self._info = elf.get_dwarf_info(follow_links=False)
        except (OSError, ValueError, ELFError):
            return

    @property
    def is_there(self) -> bool:
        return self._info is not None

    def function(self, name: str, address: int = 0) -> Signature | None:
        """`address`: where the symbol is, which finds the compilation unit without reading all of them."""
        return _unless_damaged(lambda: self._function(name, address))

    def struct(self, name: str) -> Layout | None:
        if name not in self._layouts:
            self._layouts[name] = _unless_damaged(lambda: self._struct(name))
        return self._layouts[name]

    def named(self, name: str) -> Type | None:
        return _unless_damaged(lambda: self._named(name))

    def line(self, wanted: SourceLine) -> int | None:
        """The address of a line of source; None without debugging information. Raises LineNotFound."""
        info = self._info
        return _unless_damaged(lambda: address_of_line(info, wanted)) if info is not None else None

    # --- inside -----------------------------------------------------------------------------------------------

    def _function(self, name: str, address: int) -> Signature | None:
        for unit in self._units(address):
            die = self._definitions(unit).get(("DW_TAG_subprogram", name))
            if die is not None:
                return self._signature(die, name)
        return None

    def _definitions(self, unit: CompileUnit) -> Definitions:
        """What a unit defines, by kind and name: the first of a name counts; linkage names are names too."""
        key = id(unit)
        if key not in self._defined:
            found: Definitions = {}
            for die in _in_namespaces(unit.get_top_DIE()):
                if die.tag in _NAMED and "DW_AT_declaration" not in die.attributes:
                    for name in _names(die):
                        found.setdefault((str(die.tag), name), die)
            self._defined[key] = found
        return self._defined[key]

    def _struct(self, name: str) -> Layout | None:
        die = beneath(self._anonymous.get(name) or self._find_type(name))
        return self._layout(die, name) if die is not None and die.tag in STRUCTS else None

    def _named(self, name: str) -> Type | None:
        die = self._find_type(name)
        return self.of(die) if die is not None else None

    def of(self, die: DIE | None) -> Type:
        if die is None:
            return VOID
        tag = die.tag
        if tag in TRANSPARENT:
            target = type_of(die)
            if tag == "DW_TAG_typedef" and target is not None and target.tag in STRUCTS and not name_of(target):
                return StructType(name_of(die), byte_size(target))
            return self.of(target)
        if tag in POINTERS:
            return PointerType(self.of(type_of(die)), AddressSpace.USER)
        if tag in STRUCTS:
            return StructType(self._struct_name(die), byte_size(die))
        if tag == "DW_TAG_base_type":
            return _base(die)
        if tag == "DW_TAG_enumeration_type":
            return _enumeration(die)
        if tag == "DW_TAG_array_type":
            return self._array(die)
        return VOID

    def _units(self, address: int = 0) -> Iterator[CompileUnit]:
        if self._info is None:
            return
        if address and self._ranges is not None and self._ranges.entries:
            offset = self._ranges.cu_offset_at_addr(address)
            if offset is not None:
                yield self._whole(self._info.get_CU_at(offset))
                return
        for unit in self._info.iter_CUs():
            yield self._whole(unit)

    @cached_property
    def _ranges(self) -> ARanges | None:
        """Which unit's an address is."""
        return self._info.get_aranges() if self._info else None

    def _whole(self, unit: CompileUnit) -> CompileUnit:
        """The unit itself, or the one in another file that it stands for."""
        if unit.cu_offset not in self._split:
            is_split = dwo_name(unit.get_top_DIE()) != ""
            found = split_unit(unit, self._path, self._root) if is_split else None
            self._split[unit.cu_offset] = found or unit
        return self._split[unit.cu_offset]

    def _find_type(self, name: str) -> DIE | None:
        keyword, _, tag_name = name.partition(" ")  # names of templates have spaces
        tags = {
            "struct": ("DW_TAG_structure_type", "DW_TAG_class_type"),
            "class": ("DW_TAG_structure_type", "DW_TAG_class_type"),
            "union": ("DW_TAG_union_type",),
            "enum": ("DW_TAG_enumeration_type",),
        }.get(keyword, ("DW_TAG_typedef", "DW_TAG_base_type", *STRUCTS))
        wanted = tag_name if keyword in ("struct", "class", "union", "enum") else name
        if not self._mentions(wanted):
            return None
        for unit in self._units():
            definitions = self._definitions(unit)
            found = next((definitions[tag, wanted] for tag in tags if (tag, wanted) in definitions), None)
            if found is not None:
                return found
        return None

    def _mentions(self, name: str) -> bool:
        """Whether a name may be in the file at all: much faster than to read all units for one that isn't."""
        sections = (self._info.debug_str_sec, self._info.debug_info_sec) if self._info else ()
        texts = [item.stream.getvalue() for item in sections if item and isinstance(item.stream, io.BytesIO)]
        # Names of split units are in other files.
        return not texts or any(name.encode() + b"\0" in text or b".dwo\0" in text for text in texts)

    def _signature(self, die: DIE, name: str) -> Signature:
        declared = [origin_of(child) for child in die.iter_children() if child.tag == "DW_TAG_formal_parameter"]
        types = [type_of(one) for one in declared]
        result = type_of(origin_of(die))
        places = spots(map(passed, types), result=passed(result) if result is not None else None)
        parameters = tuple(
            Parameter(name_of(one), self.of(type_), spot.register, spot.stack, _is_reference(type_))
            for one, type_, spot in zip(declared, types, places, strict=True)
        )
        return Signature(name, parameters, self.of(result) if result is not None else None)

    def _struct_name(self, die: DIE) -> str:
        keyword = STRUCTS[str(die.tag)]
        if name := name_of(die):
            return f"{keyword} {name}"
        name = f"{keyword} #{die.offset}"
        self._anonymous[name] = die
        return name

    def _array(self, die: DIE) -> Type:
        type_ = self.of(type_of(die))
        counts = []
        for child in die.iter_children():
            if child.tag == "DW_TAG_subrange_type":
                bound = child.attributes.get("DW_AT_upper_bound")
                count = child.attributes.get("DW_AT_count")
                counts.append(count.value if count else bound.value + 1 if bound else 0)
        for index, count in enumerate(reversed(counts)):
            is_text = index == 0 and _is_char(type_of(die)) and count
            type_ = StringType(count) if is_text else ArrayType(type_, count)
        return type_

    def _layout(self, die: DIE, name: str) -> Layout:
        members: dict[str, Member] = {}
        self._add_members(die, members, base=0)
        return Layout(name, byte_size(die), members)

    def _add_members(self, die: DIE, members: dict[str, Member], *, base: int) -> None:
        for child in die.iter_children():
            if child.tag == "DW_TAG_inheritance":
                self._add_inner(child, members, base=base + offset_of(child))
            if child.tag != "DW_TAG_member" or "DW_AT_external" in child.attributes:
                continue
            offset = base + offset_of(child)
            name = name_of(child)
            if not name:
                self._add_inner(child, members, base=offset)
                continue
            bit_size = child.attributes.get("DW_AT_bit_size")
            bit_offset = child.attributes.get("DW_AT_data_bit_offset")
            bits = base * 8 + bit_offset.value if bit_offset else offset * 8
            found = Member(
                name,
                self.of(type_of(child)),
                bits // 8,
                bits,
                bit_size.value if bit_size else 0,
                is_reference=_is_reference(type_of(child)),
            )
            members.setdefault(name, found)

    def _add_inner(self, die: DIE, members: dict[str, Member], *, base: int) -> None:
        inner = beneath(type_of(die))
        if inner is not None and inner.tag in STRUCTS:
            self._add_members(inner, members, base=base)


def _unless_damaged(read: Callable[[], Answer | None]) -> Answer | None:
    """A container's binary may hold anything in its debugging information: what can't be read isn't there."""
    from elftools.common.exceptions import DWARFError, ELFError

    try:
        return read()
    except (ELFError, DWARFError, LookupError, ValueError, TypeError, AttributeError, OverflowError, RecursionError,
            AssertionError, struct.error):  # fmt: skip
        return None


def _names(die: DIE) -> Iterator[str]:
    """Names of a definition are often in its declaration."""
    origin = origin_of(die)
    linkage = die.attributes.get("DW_AT_linkage_name") or origin.attributes.get("DW_AT_linkage_name")
    if linkage is not None:
        yield linkage.value.decode("utf-8", "replace")
    if name := name_of(origin):
        yield name


def _in_namespaces(top: DIE) -> Iterator[DIE]:
    """What a unit declares, in whatever namespace."""
    for die in top.iter_children():
        if die.tag == "DW_TAG_namespace":
            yield from _in_namespaces(die)
        else:
            yield die


def _base(die: DIE) -> Type:
    encoding = die.attributes["DW_AT_encoding"].value
    if encoding == _BOOLEAN:
        return BoolType()
    if not byte_size(die):
        return VOID  # Rust's ()
    if encoding in FLOATS:
        return FloatType(min(byte_size(die) * 8, 64), signed=False)
    return IntType(min(byte_size(die) * 8, 64), signed=encoding in (_SIGNED, _SIGNED_CHAR))


def _is_reference(die: DIE | None) -> bool:
    """Whether it refers to something whose size is known here."""
    reference = beneath(die)
    if reference is None or reference.tag not in REFERENCES:
        return False
    target = beneath(type_of(reference))
    return target is not None and (target.tag in POINTERS or target.tag == "DW_TAG_array_type" or byte_size(target) > 0)


def _is_char(die: DIE | None) -> bool:
    """Plain `char`, which is text; `unsigned char` (uint8_t) and `signed char` (int8_t) are numbers."""
    base = beneath(die)
    return base is not None and base.tag == "DW_TAG_base_type" and name_of(base) == "char"


def _enumeration(die: DIE) -> EnumType:
    constants = tuple(
        (int(child.attributes["DW_AT_const_value"].value), name_of(child))
        for child in die.iter_children()
        if child.tag == "DW_TAG_enumerator"
    )
    signed = any(value < 0 for value, _ in constants)
    return EnumType(f"enum {name_of(die)}".rstrip(), (byte_size(die) or 4) * 8, signed, constants)
