"""The program's maps: keys, reading, setting, deleting, counting. Aggregates are in `aggregates`.

Comes in: ir nodes that name a map; goes out: calls of the map helpers with the checks that the verifier wants, and an
account of updates that a full map refused.
"""

from __future__ import annotations

from tracelang import ir
from tracelang.codegen import aggregates, expressions, places
from tracelang.codegen.copy import copy, zero
from tracelang.codegen.failures import map_is_full
from tracelang.codegen.module import ARRAYS, PER_CPU, presence_of
from tracelang.codegen.values import CodegenError, Place, c_type, is_signed, literal
from tracelang.codegen.writer import Writer
from tracelang.kernel_helpers import has_atomic_fetch
from tracelang.plan import Counter, MapRole
from tracelang.structs import Struct
from tracelang.types import AddressSpace, AggregateType, is_scalar, size_of

BPF_ANY = 0
BPF_NOEXIST = 1
E2BIG = 7


class Target(Struct, frozen=True):
    """A map with the address of an evaluated key."""

    typed: ir.TypedMap
    macro: str
    key: str

    @property
    def is_array(self) -> bool:
        return self.typed.kind in ARRAYS

    @property
    def is_per_cpu(self) -> bool:
        return self.typed.kind in PER_CPU


def mark_set(writer: Writer, where: Target, slot: str) -> None:
    """A map without a key is an array: what was set says so itself."""
    presence = presence_of(where.typed)
    if presence:
        writer.emit(f"((u64 *){slot})[{presence // 8}] = 1;")


def target(writer: Writer, name: str, key: ir.Expr | None) -> Target:
    """Evaluates the key."""
    typed = writer.module.user_maps[name]
    macro = writer.module.user_macro(name)
    if key is None or typed.key is None:
        if key is not None:
            expressions.evaluate(writer, key)
        kind = "u32" if typed.key is None else "u64"
        return Target(typed, macro, f"&{writer.temp_of(kind, '0', 'key')}")
    if is_scalar(typed.key):
        kind = c_type(typed.key)
        return Target(typed, macro, f"&{writer.temp_of(kind, expressions.value(writer, key), 'key')}")
    made = isinstance(key, ir.Local | ir.MapValue | places.Known) and key.type == typed.key
    memory = places.in_our_memory(writer, key) if made else _key_buffer(writer, typed, key)
    return Target(typed, macro, memory.address)


def _key_buffer(writer: Writer, typed: ir.TypedMap, key: ir.Expr) -> Place:
    assert typed.key is not None
    buffer = writer.buffer(size_of(typed.key), "key")
    source = key if key.type == typed.key else ir.Convert(key.span, typed.key, key)
    places.write(writer, source, buffer)
    return buffer


def lookup(writer: Writer, where: Target, *, kind: str = "void", hint: str = "slot") -> str:
    """The address of the value, or a null pointer."""
    return writer.temp_of(f"{kind} *", f"bpf_map_lookup_elem({where.macro}, {where.key})", hint)


# --- reading ---


def read_scalar(writer: Writer, expr: ir.MapValue) -> str:
    where = target(writer, expr.map, expr.key)
    if isinstance(where.typed.value, AggregateType):
        return aggregates.read(writer, where, expr.type)
    kind = c_type(expr.type)
    slot = lookup(writer, where, kind=c_type(where.typed.value))
    return writer.temp_of(kind, f"{slot} ? *{slot} : 0", "read")


def value_place(writer: Writer, expr: ir.MapValue) -> Place:
    """The value's memory inside the map; zero bytes where the key isn't there."""
    where = target(writer, expr.map, expr.key)
    if isinstance(where.typed.value, AggregateType):
        return aggregates.read_stats(writer, where)
    slot = lookup(writer, where, kind="u8")
    zeros = writer.zeros(size_of(where.typed.value))
    with writer.block(f"if (!{slot})"):
        writer.emit(f"{slot} = {zeros.address};")
    return Place(AddressSpace.BPF, slot)


def value_pointer(writer: Writer, expr: ir.MapValue) -> Place:
    """As value_place, but a null pointer where the key isn't there (for `&@m[k]`)."""
    where = target(writer, expr.map, expr.key)
    return Place(AddressSpace.BPF, lookup(writer, where, kind="u8"))


def has_key(writer: Writer, expr: ir.HasKey) -> str:
    where = target(writer, expr.map, expr.key)
    slot = lookup(writer, where)
    return f"({slot} != 0)"


# --- writing ---


def set_value(writer: Writer, statement: ir.SetMap) -> None:
    """`@m[k] = v`. The value is evaluated before the key's buffer is filled, as both may use the map."""
    value_type = writer.module.user_maps[statement.map].value
    if is_scalar(value_type):
        text = expressions.value(writer, statement.value)
        name = writer.temp(value_type, text, "value")
        where = target(writer, statement.map, statement.key)
        if where.is_array:
            kind = c_type(value_type)
            slot = lookup(writer, where, kind=kind)
            with writer.block(f"if ({slot})"):
                writer.emit(f"*{slot} = {name};")
                mark_set(writer, where, slot)
            return
        update(writer, where, f"&{name}")
        return
    source = places.in_our_memory(writer, statement.value)
    where = target(writer, statement.map, statement.key)
    if where.is_array:
        slot = lookup(writer, where, kind="u8")
        with writer.block(f"if ({slot})"):
            copy(writer, source=source, destination=Place(AddressSpace.BPF, slot), size=size_of(value_type))
            mark_set(writer, where, slot)
        return
    update(writer, where, source.address)


def update(writer: Writer, where: Target, value: str, *, flags: int = BPF_ANY) -> None:
    """bpf_map_update_elem; a refusal is counted."""
    call = f"bpf_map_update_elem({where.macro}, {where.key}, {value}, {flags})"
    with writer.block(f"if ({call})"):
        count_up(writer, Counter.MAP_FULL)
        map_is_full(writer, writer.span, -E2BIG)


def count_up(writer: Writer, what: Counter) -> None:
    """One more in the program's account of what was lost."""
    writer.emit(f"{writer.module.need('count')}({writer.program.slot}, {what.name});")
    writer.module.role_macro(MapRole.COUNTERS)


def delete(writer: Writer, expr: ir.DeleteKey) -> str:
    """Whether it was there. An array's entries can't be deleted: they become zero."""
    where = target(writer, expr.map, expr.key)
    if not where.is_array:
        return f"({writer.temp_of('s64', f'bpf_map_delete_elem({where.macro}, {where.key})', 'failure')} == 0)"
    slot = lookup(writer, where, kind="u8")
    presence = presence_of(where.typed)
    found = writer.temp_of("u8", "0", "found")
    with writer.block(f"if ({slot})"):
        writer.emit(f"{found} = {f'((u64 *){slot})[{presence // 8}] != 0' if presence else '1'};")
        zero(writer, Place(AddressSpace.BPF, slot), presence + 8 if presence else size_of(where.typed.value))
    return f"({found} != 0)"


def add(writer: Writer, expr: ir.MapAdd) -> str:
    """`@m[k]++` and `@m[k] += n`: exact, whatever other CPUs do. The value is the old or the new number."""
    where = target(writer, expr.map, expr.key)
    if isinstance(where.typed.value, AggregateType):
        raise CodegenError("an aggregate can't be added to")
    kind = c_type(where.typed.value)
    amount = expressions.pinned(writer, expressions.value(writer, expr.amount), expr.amount.type)
    old = writer.temp_of(kind, "0", "old")
    slot = lookup(writer, where, kind=kind)
    step = writer.temp_of(kind, amount, "step")
    _add_to_slot(writer, slot=slot, old=old, step=step, where=where)
    if not where.is_array:
        last = writer.lines.pop()
        with writer.block(
            f"{last.text} else if (bpf_map_update_elem({where.macro}, {where.key}, &{step}, {BPF_NOEXIST}))"
        ):
            # Somebody else was faster, or the map is full.
            writer.emit(f"{slot} = bpf_map_lookup_elem({where.macro}, {where.key});")
            _add_to_slot(writer, slot=slot, old=old, step=step, where=where)
            last = writer.lines.pop()
            with writer.block(f"{last.text} else"):
                count_up(writer, Counter.MAP_FULL)
                map_is_full(writer, expr.span, -E2BIG)
    if expr.postfix:
        return f"({c_type(expr.type)}){old}"
    unsigned = f"u{kind[1:]}" if is_signed(where.typed.value) else kind
    return f"({c_type(expr.type)})(({unsigned}){old} + ({unsigned}){step})"


def _add_to_slot(writer: Writer, *, slot: str, old: str, step: str, where: Target) -> None:
    bits = size_of(where.typed.value) * 8
    with writer.block(f"if ({slot})"):
        if bits >= 32 and not where.is_per_cpu and not has_atomic_fetch(writer.module.facts):
            # The sum is exact. What the expression gives may be a neighbour's number when two CPUs add at once.
            # The compiler must not know the step: it makes an addition of 0 another operation, which is as new.
            writer.opaque(step)
            writer.emit(f"{old} = *{slot};")
            writer.emit(f"__sync_fetch_and_add({slot}, {step});")
        elif bits >= 32 and not where.is_per_cpu:
            writer.emit(f"{old} = __sync_fetch_and_add({slot}, {step});")
        else:
            writer.emit(f"{old} = *{slot};")
            writer.emit(f"*{slot} = {old} + {step};")
        mark_set(writer, where, slot)


def constant_key(writer: Writer, number: int) -> str:
    from tracelang.types import U32

    return f"&{writer.temp_of('u32', literal(number, U32), 'key')}"
