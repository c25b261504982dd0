"""tracepoint: the kernel's static events with the record that their format file states."""

from __future__ import annotations

from tracelang.facts import Facts, Layout, Location, Member
from tracelang.plan import ProgramType
from tracelang.providers.base import ArgumentField, FieldSource, Malformed, Parsed, Provider
from tracelang.types import S8, AddressSpace, PointerType, Type


def _parse(parts: tuple[str, ...]) -> Parsed | Malformed:
    match parts:
        case (category, event) if category and event:
            return Parsed(parts)
        case (category,) if "*" in category:
            return Parsed((category, "*"))
    return Malformed(
        f"tracepoint probe type requires 2 arguments, found {len(parts)}", "write tracepoint:category:event"
    )


def _fields(facts: Facts, location: Location) -> dict[str, ArgumentField] | None:
    layout = facts.tracepoint(location.target, location.function)
    return record_fields(layout, user=location.target == "syscalls") if layout else None


def record_fields(layout: Layout, *, user: bool) -> dict[str, ArgumentField]:
    """The record's fields. Arguments of system calls point to user space, all others into the kernel."""
    space = AddressSpace.USER if user else AddressSpace.KERNEL
    return {name: _field(member, space) for name, member in layout.members.items()}


def _field(member: Member, space: AddressSpace) -> ArgumentField:
    if member.data_loc:
        return ArgumentField(
            member.name, PointerType(S8, AddressSpace.KERNEL), FieldSource.DATA_LOC, offset=member.offset
        )
    return ArgumentField(
        member.name,
        _pointing(member.type, space),
        FieldSource.CONTEXT,
        offset=member.offset,
        bit_offset=member.bit_offset,
        bit_size=member.bit_size,
    )


def _pointing(type_: Type, space: AddressSpace) -> Type:
    return PointerType(type_.target, space) if isinstance(type_, PointerType) else type_


TRACEPOINT = Provider(
    name="tracepoint",
    aliases=("t",),
    parse=_parse,
    program_type=ProgramType.TRACEPOINT,
    space=AddressSpace.KERNEL,
    has_fields=True,
    fields=_fields,
    usage="tracepoint:category:event",
)
