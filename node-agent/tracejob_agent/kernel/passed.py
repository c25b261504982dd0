"""What values of a type are made of, for the calling convention: debugging information in, `passing.Passed` out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from tracejob_agent.kernel.dies import FLOATS, POINTERS, STRUCTS, beneath, byte_size, name_of, offset_of, type_of
from tracejob_agent.kernel.passing import Leaf, Passed

if TYPE_CHECKING:
    from elftools.dwarf.die import DIE

_LARGEST_VALUE = 16
_POINTER_SIZE = 8
_COMPLEX = 3
_RUST = 0x1C
_BY_REFERENCE = 4  # DW_CC_pass_by_reference


def passed(die: DIE | None) -> Passed:
    """An argument of the type."""
    die = beneath(die)
    if die is None:
        return Passed(0, ())
    size = _POINTER_SIZE if die.tag in POINTERS else byte_size(die)
    return Passed(size, tuple(_leaves(die, 0)), die.tag in STRUCTS and _by_reference(die, size))


def _by_reference(die: DIE, size: int) -> bool:
    """What Rust can't pass in two registers; what C++ copies or destroys by functions."""
    convention = die.attributes.get("DW_AT_calling_convention")
    if convention is not None:
        return bool(convention.value == _BY_REFERENCE)
    language = die.cu.get_top_DIE().attributes.get("DW_AT_language")
    if language is not None and language.value == _RUST:
        return size > _LARGEST_VALUE
    return _has_own_copying(die)


def _has_own_copying(die: DIE) -> bool:
    for child in die.iter_children():
        if child.tag == "DW_TAG_subprogram":
            implied = "DW_AT_artificial" in child.attributes or "DW_AT_defaulted" in child.attributes
            if "DW_AT_virtuality" in child.attributes or (not implied and _copies_or_destroys(child, die)):
                return True
        elif _is_inside(child):
            inner = beneath(type_of(child))
            while inner is not None and inner.tag == "DW_TAG_array_type":
                inner = beneath(type_of(inner))
            if inner is not None and inner.tag in STRUCTS and _has_own_copying(inner):
                return True
    return False


def _copies_or_destroys(function: DIE, owner: DIE) -> bool:
    """A destructor, or a constructor whose argument is one of its own kind."""
    if name_of(function).startswith("~"):
        return True
    parameters = [child for child in function.iter_children() if child.tag == "DW_TAG_formal_parameter"]
    if name_of(function) != name_of(owner).partition("<")[0] or len(parameters) < 2:
        return False
    argument = type_of(parameters[1])  # behind `this`
    if argument is None or "reference_type" not in str(argument.tag):
        return False
    referred = beneath(type_of(argument))
    return referred is not None and referred.offset == owner.offset


def _is_inside(die: DIE) -> bool:
    """Whether it is part of every value: a static member isn't."""
    return die.tag in ("DW_TAG_member", "DW_TAG_inheritance") and "DW_AT_external" not in die.attributes


def _leaves(die: DIE | None, offset: int) -> Iterator[Leaf]:
    """Numbers and pointers in a value; of one too large for registers, only those that begin in its first words."""
    die = beneath(die)
    if die is None or offset > _LARGEST_VALUE:
        return
    if die.tag in STRUCTS:
        for child in die.iter_children():
            if _is_inside(child):
                bits = child.attributes.get("DW_AT_data_bit_offset")
                inner = _leaves(type_of(child), offset + offset_of(child))
                yield from inner if bits is None else (Leaf(offset + bits.value // 8, 1),)
            elif child.tag == "DW_TAG_variant_part":
                yield Leaf(offset, 1)  # an enum of Rust
    elif die.tag == "DW_TAG_array_type":
        size = passed(type_of(die)).size
        for index in range(min(_array_length(die), _LARGEST_VALUE) if size else 0):
            yield from _leaves(type_of(die), offset + index * size)
    elif die.tag == "DW_TAG_base_type":
        encoding, size = die.attributes["DW_AT_encoding"].value, byte_size(die)
        if encoding == _COMPLEX:
            yield from (Leaf(offset, size // 2, True), Leaf(offset + size // 2, size // 2, True))
        elif size:
            yield Leaf(offset, size, encoding in FLOATS)
    elif die.tag == "DW_TAG_ptr_to_member_type":
        yield Leaf(offset, _POINTER_SIZE)
    else:
        yield Leaf(offset, _POINTER_SIZE if die.tag in POINTERS else byte_size(die) or _POINTER_SIZE)


def _array_length(die: DIE) -> int:
    length = 1
    for child in die.iter_children():
        if child.tag == "DW_TAG_subrange_type":
            bound, count = child.attributes.get("DW_AT_upper_bound"), child.attributes.get("DW_AT_count")
            length *= count.value if count else bound.value + 1 if bound else 0
    return length
