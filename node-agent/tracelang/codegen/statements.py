"""Statements: one typed statement in, the C that does it out. Loops are in `loops`, map functions in `aggregates`.

Each statement begins with its source text in a comment; buffers that it takes are free again after it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from tracelang import ir
from tracelang.codegen import aggregates, events, expressions, loops, maps, places, subprograms
from tracelang.codegen.copy import copy
from tracelang.codegen.values import CodegenError, Place, c_type, comment
from tracelang.codegen.writer import Line, Writer
from tracelang.types import AddressSpace, is_scalar, size_of


def write_all(writer: Writer, statements: Sequence[ir.Stmt]) -> None:
    for statement in statements:
        write(writer, statement)


def write(writer: Writer, statement: ir.Stmt) -> None:
    is_new = statement.span != writer.span
    with writer.at(statement.span), writer.buffers():
        text = _heading(writer, statement) if is_new else ""
        if text:
            writer.emit(f"/* {text} */")
        try:
            with writer.capture() as lines:
                _write(writer, statement)
        except CodegenError as error:
            error.span = error.span or statement.span
            raise
        _in_scope(writer, lines)


def _heading(writer: Writer, statement: ir.Stmt) -> str:
    """The statement's source for the comment above it; of a loop its head. An `if` is plain without."""
    text = writer.module.source_line(statement.span)
    if isinstance(statement, ir.If):
        return ""
    if isinstance(statement, loops.LOOPS):
        text = text.partition("{")[0]
    return comment(text.strip())


_TAKES_STACK = re.compile(r"&[a-z_]+_[0-9]+\b|^u8 [a-z_]+_[0-9]+\[")


def _in_scope(writer: Writer, lines: list[Line]) -> None:
    """A statement's lines, in braces when variables in them need memory: clang then gives the next one the same bytes
    of the stack."""
    if any(line.depth == writer.depth and _TAKES_STACK.search(line.text) for line in lines):
        writer.emit("{")
        writer.replay(lines)
        writer.emit("}")
    else:
        writer.lines.extend(lines)


def _write(writer: Writer, statement: ir.Stmt) -> None:
    match statement:
        case ir.Evaluate(value=value):
            expressions.evaluate(writer, value)
        case ir.SetLocal(slot=slot, value=value):
            set_local(writer, slot, value)
        case ir.SetMap():
            maps.set_value(writer, statement)
        case ir.Aggregate():
            aggregates.update(writer, statement)
        case ir.Store():
            _store(writer, statement)
        case ir.If():
            _if(writer, statement)
        case ir.While():
            loops.while_loop(writer, statement)
        case ir.ForRange():
            loops.for_range(writer, statement)
        case ir.ForMap():
            loops.for_map(writer, statement)
        case ir.Break():
            loops.leave_loop(writer)
        case ir.Continue():
            loops.next_turn(writer)
        case ir.Return():
            _return(writer, statement)
        case ir.Emit():
            events.emit(writer, statement)
        case _:
            raise CodegenError(f"no code for {type(statement).__name__}")


def set_local(writer: Writer, slot: int, value: ir.Expr) -> None:
    type_ = writer.locals[slot].type
    if is_scalar(type_):
        text = expressions.value(writer, value)
        writer.emit(f"{writer.local(slot)} = {text};")
        return
    destination = places.local_place(writer, slot)
    if reads_local(value, slot):
        source = places.materialise(writer, value)
        copy(writer, source=source, destination=destination, size=size_of(type_))
    else:
        places.write(writer, value, destination)


def is_set_first(body: Sequence[ir.Stmt], slot: int) -> bool:
    """Whether the first statement that mentions a scratch variable gives it its value, so that it needs no zero."""
    for statement in body:
        if isinstance(statement, ir.SetLocal) and statement.slot == slot:
            return not reads_local(statement.value, slot)
        if reads_local(statement, slot):
            return False
    return False


def reads_local(node: object, slot: int) -> bool:
    """Whether an expression or statement anywhere mentions the scratch variable."""
    if isinstance(node, ir.Local | ir.SetLocal | ir.ForRange | ir.ForMap) and node.slot == slot:
        return True
    if isinstance(node, tuple):
        return any(reads_local(item, slot) for item in node)
    if isinstance(node, ir.Expr | ir.Stmt):
        return any(
            reads_local(getattr(node, name), slot)
            for name in type(node).__struct_fields__
            if name not in ("span", "type")
        )
    return False


def _store(writer: Writer, statement: ir.Store) -> None:
    """Through a pointer: into our own memory plainly, into user memory by the helper made for it."""
    address = expressions.value(writer, statement.address)
    address = expressions.pinned(writer, address, statement.address.type)
    if statement.space is AddressSpace.USER:
        source = places.materialise(writer, statement.value)
        size = size_of(statement.value.type)
        writer.emit(f"bpf_probe_write_user((void *){address}, {source.address}, {size});")
    elif statement.space in (AddressSpace.BPF, AddressSpace.NONE):
        if is_scalar(statement.value.type):
            kind = c_type(statement.value.type)
            text = expressions.value(writer, statement.value)
            writer.emit(f"*({kind} *){address} = {text};")
        else:
            name = writer.temp_of("u8 *", f"(u8 *){address}", "target")
            places.write(writer, statement.value, Place(AddressSpace.BPF, name, alignment=1))
    else:
        raise CodegenError("kernel memory can't be written")


def _if(writer: Writer, statement: ir.If) -> None:
    test = expressions.condition(writer, statement.condition)
    with writer.block(f"if ({test})", tail="} else {" if statement.otherwise else "}"):
        write_all(writer, statement.then)
    if statement.otherwise:
        writer.depth += 1
        write_all(writer, statement.otherwise)
        writer.depth -= 1
        writer.emit("}")


def _return(writer: Writer, statement: ir.Return) -> None:
    if statement.value is not None and writer.result is not None:
        subprograms.give_result(writer, statement.value)
        return
    if statement.value is not None:
        expressions.evaluate(writer, statement.value)
    loops.leave_function(writer)
