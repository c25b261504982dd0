"""Scratch variables: where each one lives, and its declaration with zero as the first value.

Scalars are C variables; big values, and everything in functions with loops, are in scratch memory.
"""

from __future__ import annotations

from tracelang import ir
from tracelang.codegen import places, statements
from tracelang.codegen.copy import zero
from tracelang.codegen.values import c_type
from tracelang.codegen.writer import Writer
from tracelang.types import align_up, is_scalar, size_of


def declare_locals(writer: Writer, body: tuple[ir.Stmt, ...] = ()) -> None:
    """body: what follows; variables of it that are set before they are used need no zeroing."""
    program = writer.program
    if writer.frame:
        # What callbacks get: the address of the context pointer.
        writer.emit("void *kept = ctx;")
        program.scratch_locals.append((f"u64 {writer.prefix}_returned", 8))
        writer.emit(f"{writer.frame}{writer.prefix}_returned = 0;")
        if writer.gives_scalar:
            program.scratch_locals.append((f"s64 {writer.prefix}_result", 8))
    for slot, variable in enumerate(writer.locals):
        name = writer.local_name(slot)
        size = size_of(variable.type)
        if is_scalar(variable.type):
            kind = c_type(variable.type)
            if writer.frame:
                program.scratch_locals.append((f"{kind} {name} __attribute__((aligned(8)))", 8))
                writer.emit(f"{writer.frame}{name} = 0;")
            else:
                writer.emit(f"{kind} {name} = 0;")
        elif writer.lives_in_scratch(size):
            program.scratch_locals.append((f"u8 {name}[{align_up(size, 8)}]", align_up(size, 8)))
            if not statements.is_set_first(body, slot):
                zero(writer, places.local_place(writer, slot), size)
        else:
            writer.emit(f"u8 {name}[{align_up(max(size, 1), 8)}] __attribute__((aligned(8))) = {{}};")
