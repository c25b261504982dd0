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


# What fires in interrupts or kernel threads, on behalf of somebody who isn't the current task.
OUTSIDE_CATEGORIES = frozenset({"irq", "irq_vectors", "napi", "rcu", "timer", "xdp", "nmi", "mce", "thermal"})
OUTSIDE_EVENTS = frozenset(
    {
        ("block", "block_rq_complete"),
        ("block", "block_rq_error"),
        ("block", "block_io_done"),
        ("net", "netif_receive_skb"),
        ("net", "netif_rx"),
        ("net", "napi_gro_receive_entry"),
        ("skb", "kfree_skb"),
        ("skb", "consume_skb"),
        ("tcp", "tcp_retransmit_skb"),
        ("tcp", "tcp_receive_reset"),
        ("tcp", "tcp_probe"),
        ("sock", "inet_sock_set_state"),
    }
)


def _objection(location: Location) -> str:
    if location.target in OUTSIDE_CATEGORIES or (location.target, location.function) in OUTSIDE_EVENTS:
        return "it fires in interrupts and kernel threads, not in the task that it is about"
    return ""


TRACEPOINT = Provider(
    name="tracepoint",
    aliases=("t",),
    parse=_parse,
    program_type=ProgramType.TRACEPOINT,
    space=AddressSpace.KERNEL,
    objection=_objection,
    has_fields=True,
    fields=_fields,
    usage="tracepoint:category:event",
)
