"""Where the members of a C struct are: the x86-64 and arm64 rules, bit fields and packed structs included."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tracelang.facts import Layout, Member
from tracelang.types import ArrayType, EnumType, IntType, StringType, StructType, Type, align_of, align_up, size_of

Field = tuple[str, Type, int | None]  # name ("" for an anonymous member), type, width of a bit field
LayoutOf = Callable[[str], Layout | None]


def lay_out(name: str, fields: Sequence[Field], *, union: bool, packed: bool, layout_of: LayoutOf) -> Layout:
    """Members by name; those of anonymous structs and unions are lifted into this one."""
    members: dict[str, Member] = {}
    bits = 0  # first free bit
    size = 0  # of a union: its widest member
    alignment = 1
    for field_name, type_, width in fields:
        if union:
            bits = 0
        unit = 1 if packed else c_align(type_, layout_of)
        if width is None:
            alignment = max(alignment, unit)
            offset = align_up((bits + 7) // 8, unit)
            _add(members, Member(field_name, type_, offset), layout_of)
            bits = 8 * (offset + size_of(type_))
        else:
            bits, member = _bit_field(bits, field_name, type_, width, packed=packed)
            if member is not None:
                members[field_name] = member
                alignment = max(alignment, unit)
        size = max(size, (bits + 7) // 8)
    return Layout(name, align_up(size, alignment), members)


def _bit_field(bits: int, name: str, type_: Type, width: int, *, packed: bool) -> tuple[int, Member | None]:
    """The first free bit after it, and the member (None: an unnamed filler)."""
    storage = 8 * size_of(type_)
    if width == 0:
        return align_up(bits, storage), None
    # It may not cross a boundary of its declared type.
    if not packed and bits // storage != (bits + width - 1) // storage:
        bits = align_up(bits, storage)
    member = Member(name, type_, bits // 8, bit_offset=bits, bit_size=width) if name else None
    return bits + width, member


def _add(members: dict[str, Member], member: Member, layout_of: LayoutOf) -> None:
    if member.name:
        members[member.name] = member
        return
    inner = layout_of(member.type.name) if isinstance(member.type, StructType) else None
    for item in inner.members.values() if inner else ():
        members[item.name] = Member(
            item.name,
            item.type,
            item.offset + member.offset,
            bit_offset=item.bit_offset + 8 * member.offset if item.bit_size else 0,
            bit_size=item.bit_size,
        )


def c_align(type_: Type, layout_of: LayoutOf) -> int:
    """Alignment by C's rules; a struct's is that of its widest member."""
    match type_:
        case IntType(bits=bits) | EnumType(bits=bits):
            return bits // 8
        case ArrayType(element=element):
            return c_align(element, layout_of)
        case StringType():
            return 1
        case StructType(name=name):
            layout = layout_of(name)
            members = layout.members.values() if layout else ()
            return max((c_align(member.type, layout_of) for member in members), default=1)
    return align_of(type_)
