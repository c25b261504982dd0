"""Events: records in the ring buffer, filled in place.

Comes in: ir.Emit; goes out: reserve, stores of every argument at its field's offset, submit without waking the reader
(it polls). Arguments are evaluated before the reservation, so that nothing leaves the program while it is held.
"""

from __future__ import annotations

from tracelang import ir
from tracelang.codegen import intrinsics, maps, places, trace_pipe
from tracelang.codegen.values import Place, c_type
from tracelang.codegen.writer import Writer
from tracelang.plan import Counter, EventKind, EventSpec, MapRole
from tracelang.pseudo import Constant
from tracelang.types import AddressSpace, align_of, is_scalar, size_of

BPF_RB_NO_WAKEUP = 1

UNLIMITED = frozenset({EventKind.EXIT, EventKind.CLEAR_MAP, EventKind.ZERO_MAP, EventKind.UNWATCH, EventKind.FAIL})
"""Events that a rate limit must not drop: they change what the session does."""


def emit(writer: Writer, statement: ir.Emit) -> None:
    spec = writer.module.typed.events[statement.event]
    if spec.kind is EventKind.DEBUGF and writer.module.options.interactive:
        trace_pipe.print_formatted(writer, spec, statement.arguments)
        return
    writer.module.emitters.setdefault(statement.event, set()).add(writer.program.slot)
    if writer.module.options.events_per_second and spec.kind not in UNLIMITED:
        writer.module.role_macro(MapRole.RATE)
        with writer.block(f"if ({writer.module.need('within_rate')}())", tail="} else {"):
            _emit(writer, statement, spec)
        writer.depth += 1
        maps.count_up(writer, Counter.RATE_LIMITED)
        writer.depth -= 1
        writer.emit("}")
    else:
        _emit(writer, statement, spec)


def _emit(writer: Writer, statement: ir.Emit, spec: EventSpec) -> None:
    fills = [places.prepare(writer, argument, zero_fill=False) for argument in statement.arguments]
    macro = writer.module.role_macro(MapRole.EVENTS)
    name = writer.fresh("event")
    struct = f"event_{spec.id}"
    writer.emit(f"struct {struct} *{name} = bpf_ringbuf_reserve({macro}, sizeof(*{name}), 0);")
    with writer.block(f"if ({name})", tail="} else {"):
        writer.emit(f"{name}->id = {spec.id};")
        record = Place(AddressSpace.BPF, f"((u8 *){name})", members=_members(spec, name))
        for field, fill in zip(spec.fields, fills, strict=True):
            fill(record.at(field.offset))
        writer.emit(f"bpf_ringbuf_submit({name}, {BPF_RB_NO_WAKEUP});")
        if spec.kind is EventKind.EXIT and writer.is_clock:
            intrinsics.set_constant(writer, Constant.ENDED, "1")
            writer.program.may_end = True
    writer.depth += 1
    maps.count_up(writer, Counter.RING_FULL)
    writer.depth -= 1
    writer.emit("}")


def _members(spec: EventSpec, name: str) -> dict[int, tuple[str, str]]:
    members = {}
    for position, field in enumerate(spec.fields):
        kind = c_type(field.type) if is_scalar(field.type) else "u8[]"
        members[field.offset] = (f"{name}->{field_name(position)}", kind)
    return members


def field_name(position: int) -> str:
    return f"a{position}"


def struct_members(spec: EventSpec) -> tuple[str, ...]:
    """The record as a C struct, with explicit padding: its layout is the EventSpec's, not the compiler's."""
    members = ["u64 id"]
    end = 8
    for position, field in enumerate(spec.fields):
        if field.offset > end:
            members.append(f"u8 pad_{position}[{field.offset - end}]")
        name = field_name(position)
        size = size_of(field.type)
        if is_scalar(field.type):
            members.append(f"{c_type(field.type)} {name}")
        else:
            alignment = align_of(field.type)
            aligned = f" __attribute__((aligned({alignment})))" if alignment > 1 else ""
            members.append(f"u8 {name}[{size}]{aligned}")
        end = field.offset + size
    if spec.size > end:
        members.append(f"u8 pad[{spec.size - end}]")
    return tuple(members)
