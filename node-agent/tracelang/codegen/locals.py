"""Scratch variables: where each one lives, and its declaration with zero as the first value.

Scalars are C variables, or members of the frame in programs with loops; big values are in scratch memory.
"""

from __future__ import annotations

from tracelang.codegen import places
from tracelang.codegen.copy import zero
from tracelang.codegen.values import c_type
from tracelang.codegen.writer import Writer
from tracelang.types import align_up, is_scalar, size_of


def declare_locals(writer: Writer) -> None:
    if writer.frame:
        writer.frame_members[:0] = ["void *ctx", "u64 returned"]
        writer.emit(f"struct {writer.frame_struct} frame_memory = {{}};")
        writer.emit(f"struct {writer.frame_struct} *frame = &frame_memory;")
        writer.emit("frame->ctx = ctx;")
    for slot, variable in enumerate(writer.locals):
        name = writer.local_name(slot)
        size = size_of(variable.type)
        if is_scalar(variable.type):
            declaration = f"{c_type(variable.type)} {name}"
            if writer.frame:
                writer.frame_members.append(declaration)
            else:
                writer.emit(f"{declaration} = 0;")
        elif writer.lives_in_scratch(size):
            writer.program.scratch_locals.append((name, align_up(size, 8)))
            zero(writer, places.local_place(writer, slot), size)
        else:
            room = align_up(max(size, 1), 8)
            declaration = f"u8 {name}[{room}] __attribute__((aligned(8)))"
            if writer.frame:
                writer.frame_members.append(declaration)
            else:
                writer.emit(f"{declaration} = {{}};")
