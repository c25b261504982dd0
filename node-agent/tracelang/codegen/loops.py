"""Loops: run by the kernel calling back (bpf_loop, bpf_for_each_map_elem), so that the verifier checks a body once.

Comes in: While, ForRange, ForMap; goes out: a callback function and the call. The scratch variables then live in the
program's scratch memory, where the callback finds them too: `scratch->v0_x`. The verifier doesn't follow values
through map memory, so that a loop's second turn looks to it like the first, and it is done. The callback gets the
address of the context pointer. Where a kernel has no bpf_loop (before 5.17), loops are plain C with a bound.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tracelang import ir
from tracelang.codegen import aggregates, expressions, maps, places, statements
from tracelang.codegen.copy import zero
from tracelang.codegen.values import Place, c_type
from tracelang.codegen.writer import STACK_BUDGET, Line, Writer, WrittenFunction, scratch_lookup
from tracelang.ir_visitor import walk
from tracelang.kernel_helpers import INNER_PLAIN_TURNS, PLAIN_TURNS
from tracelang.source import NOWHERE
from tracelang.structs import replace
from tracelang.types import AddressSpace, AggregateType, Type, is_scalar, size_of, tuple_layout

MOST_TURNS = 1 << 23
"""The kernel's own limit of bpf_loop (BPF_MAX_LOOPS)."""

CALLBACK_STACK_USED = STACK_BUDGET * 2 // 3
"""A callback's frame shares the 512 bytes with its caller's."""


LOOPS = (ir.While, ir.ForRange, ir.ForMap)


def needs_frame(node: object) -> bool:
    """Whether statements contain a loop, which needs its variables outside the C function."""
    return contains(node, *LOOPS)


def contains(node: object, *kinds: type[ir.Expr | ir.Stmt]) -> bool:
    """Whether a tree has a node of one of the kinds."""
    return any(isinstance(item, kinds) for item in walk(node))


def contains_loop(lines: list[Line]) -> bool:
    return any("&kept" in line.text for line in lines)


def while_loop(writer: Writer, statement: ir.While) -> None:
    if not writer.module.has_helper("bpf_loop"):
        with _plain_loop(writer):
            writer.emit(f"if (!({expressions.condition(writer, statement.condition)})) break;")
            statements.write_all(writer, statement.body)
        return
    with _callback(writer, "u64 turn, void *data") as (inner, number):
        inner.emit(f"if (!({expressions.condition(inner, statement.condition)})) return 1;")
        statements.write_all(inner, statement.body)
    _call_loop(writer, turns=str(MOST_TURNS), callback=number, body=statement.body)


def for_range(writer: Writer, statement: ir.ForRange) -> None:
    start, end = expressions.operands(writer, (statement.start, statement.end))
    start = expressions.pinned(writer, start, statement.start.type)
    end = expressions.pinned(writer, end, statement.end.type)
    variable = writer.local(statement.slot)
    kind = c_type(writer.locals[statement.slot].type)
    if not writer.module.has_helper("bpf_loop"):
        first = writer.temp_of("s64", start, "first")
        with _plain_loop(writer) as turn:
            writer.emit(f"if ({first} + {turn} >= (s64){end}) break;")
            writer.emit(f"{variable} = ({kind})({first} + {turn});")
            statements.write_all(writer, statement.body)
        return
    first = writer.shared_member("s64", "first")
    writer.emit(f"{first} = {start};")
    # Read again from memory, which the verifier doesn't follow: it removes the callback of a loop that it knows to make
    # no turn, and then misses it ("No program to jit").
    writer.emit('asm volatile("" : : : "memory");')
    turns = writer.temp_of("u64", f"(s64){end} > {first} ? (u64)((s64){end} - {first}) : 0", "turns")
    with _callback(writer, "u64 turn, void *data") as (inner, number):
        inner.emit(f"{variable} = ({kind})({first} + (s64)turn);")
        statements.write_all(inner, statement.body)
    writer.emit(f"if ({turns} > {MOST_TURNS}) {turns} = {MOST_TURNS};")
    _call_loop(writer, turns=turns, callback=number, body=statement.body)


def for_map(writer: Writer, statement: ir.ForMap) -> None:
    """Every entry in the kernel's order; the variable is the tuple (key, value)."""
    typed = writer.module.user_maps[statement.map]
    macro = writer.module.user_macro(statement.map)
    assert typed.key is not None
    pair = writer.locals[statement.slot].type
    with _callback(writer, "void *map, void *key, void *entry, void *data") as (inner, number):
        with inner.buffers():
            _bind_entry(inner, statement, typed=typed, pair=pair, macro=macro)
        statements.write_all(inner, statement.body)
    writer.emit(f"bpf_for_each_map_elem({macro}, (void *)bpf_pseudo_fd(4, {number}), &kept, 0);")
    _leave_if_returned(writer, statement.body)


def _bind_entry(inner: Writer, statement: ir.ForMap, *, typed: ir.TypedMap, pair: Type, macro: str) -> None:
    """Copies key and value into the loop's variable."""
    assert typed.key is not None
    key_type, value_type = places.element_types(pair)
    (_, value_offset), size = tuple_layout((key_type, value_type))
    destination = places.local_place(inner, statement.slot)
    key = Place(AddressSpace.BPF, "((u8 *)key)", alignment=8 if size_of(typed.key) % 8 == 0 else 4)
    if size_of(typed.key) < 4:
        key = Place(AddressSpace.BPF, "((u8 *)key)", alignment=1)
    _copy_converted(inner, source=key, have=typed.key, want=key_type, destination=destination)
    zero(inner, destination.at(size_of(key_type)), value_offset - size_of(key_type))
    if isinstance(typed.value, AggregateType) and is_scalar(value_type):
        where = maps.Target(typed, macro, "key")
        places.store_scalar(
            inner, destination.at(value_offset), c_type(value_type), aggregates.read(inner, where, value_type)
        )
    else:
        entry = Place(AddressSpace.BPF, "((u8 *)entry)")
        _copy_converted(
            inner, source=entry, have=typed.value, want=value_type, destination=destination.at(value_offset)
        )
    end = value_offset + size_of(value_type)
    zero(inner, destination.at(end), size - end)


def _copy_converted(inner: Writer, *, source: Place, have: Type, want: Type, destination: Place) -> None:
    known: ir.Expr = ir.Member(NOWHERE, have, places.Known(NOWHERE, have, source), 0)
    if have != want:
        known = ir.Convert(NOWHERE, want, known)
    places.write(inner, known, destination)


# --- leaving ---


def leave_loop(writer: Writer) -> None:
    writer.emit("break;" if writer.plain_loops else "return 1;")


def next_turn(writer: Writer) -> None:
    writer.emit("continue;" if writer.plain_loops else "return 0;")


def leave_function(writer: Writer) -> None:
    """`return` of the program's text; inside a callback it also ends the loops around."""
    if writer.in_callback:
        writer.emit(f"{writer.frame}{writer.prefix}_returned = 1;")
        writer.emit("return 1;")
    else:
        writer.emit(writer.leave)


def _leave_if_returned(writer: Writer, body: tuple[ir.Stmt, ...]) -> None:
    if not contains(body, ir.Return):
        return
    with writer.block(f"if ({writer.frame}{writer.prefix}_returned)"):
        if writer.in_callback:
            writer.emit("return 1;")
        elif writer.gives_scalar:
            writer.emit(f"return {writer.frame}{writer.prefix}_result;")
        else:
            writer.emit(writer.leave)


# --- the two ways ---


@contextmanager
def _plain_loop(writer: Writer) -> Iterator[str]:
    turn = writer.fresh("turn")
    most = INNER_PLAIN_TURNS if writer.plain_loops else PLAIN_TURNS
    writer.plain_loops += 1
    with writer.block(f"for (u32 {turn} = 0; {turn} < {most}; {turn}++)"):
        yield turn
    writer.plain_loops -= 1


@contextmanager
def _callback(writer: Writer, parameters: str) -> Iterator[tuple[Writer, int]]:
    """A writer for the callback's body; the callback joins the program when the body is complete."""
    program = writer.program
    number = len(program.callbacks)
    name = f"{program.probe.function}_loop_{number}"
    program.callbacks.append(name)
    inner = replace(writer, lines=[], depth=1, in_callback=True, plain_loops=0, stack_used=CALLBACK_STACK_USED)
    yield inner, number
    inner.emit("return 0;")
    head = [Line(1, "void *ctx = *(void **)data;", writer.span)]
    if contains_loop(inner.lines):
        head.append(Line(1, "void *kept = ctx;", writer.span))
    head.extend(Line(1, text, writer.span) for text in scratch_lookup(writer, missing="return 1;"))
    program.functions.append(
        WrittenFunction(name=name, head=f"int {name}({parameters})", comment="", lines=(*head, *inner.lines))
    )


def _call_loop(writer: Writer, *, turns: str, callback: int, body: tuple[ir.Stmt, ...]) -> None:
    writer.emit(f"bpf_loop({turns}, (void *)bpf_pseudo_fd(4, {callback}), &kept, 0);")
    _leave_if_returned(writer, body)
