"""Entries of debugging information: their names, types, sizes."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from elftools.dwarf.die import DIE

STRUCTS = {"DW_TAG_structure_type": "struct", "DW_TAG_union_type": "union", "DW_TAG_class_type": "struct"}
TRANSPARENT = {"DW_TAG_typedef", "DW_TAG_const_type", "DW_TAG_volatile_type", "DW_TAG_restrict_type",
                "DW_TAG_atomic_type"}  # fmt: skip
REFERENCES = {"DW_TAG_reference_type", "DW_TAG_rvalue_reference_type"}
POINTERS = {"DW_TAG_pointer_type", *REFERENCES}
_LONGEST_CHAIN = 64
FLOATS = (3, 4)  # complex, real


def name_of(die: DIE) -> str:
    attribute = die.attributes.get("DW_AT_name")
    return attribute.value.decode("utf-8", "replace") if attribute else ""


def origin_of(die: DIE) -> DIE:
    """Of an out-of-line copy, the declaration that has names and types."""
    for attribute in ("DW_AT_abstract_origin", "DW_AT_specification"):
        if attribute in die.attributes:
            return origin_of(die.get_DIE_from_attribute(attribute))
    return die


def type_of(die: DIE) -> DIE | None:
    return die.get_DIE_from_attribute("DW_AT_type") if "DW_AT_type" in die.attributes else None


def byte_size(die: DIE) -> int:
    attribute = die.attributes.get("DW_AT_byte_size")
    return int(attribute.value) if attribute else 0


def offset_of(die: DIE) -> int:
    attribute = die.attributes.get("DW_AT_data_member_location")
    return attribute.value if attribute and isinstance(attribute.value, int) else 0


def beneath(die: DIE | None) -> DIE | None:
    """What typedefs and qualifiers stand for; None for a chain that leads nowhere."""
    for _ in range(_LONGEST_CHAIN):
        if die is None or die.tag not in TRANSPARENT:
            return die
        die = type_of(die)
    return None
