"""debugf(): formatted by the kernel itself, into its trace pipe.

Comes in: the event that debugf() is elsewhere; goes out: one call of the helper that prints there.
"""

from __future__ import annotations

from tracelang import ir
from tracelang.codegen import expressions, places, strings
from tracelang.codegen.writer import Writer
from tracelang.plan import EventSpec
from tracelang.types import is_scalar

_TRACE_PRINTK = 6
"""Number of the helper."""


def print_formatted(writer: Writer, spec: EventSpec, arguments: tuple[ir.Expr, ...]) -> None:
    """The format stays as it is: the kernel understands C's lengths."""
    values = [f"(u64){_value(writer, argument)}" for argument in arguments]
    text = spec.text.encode("utf-8", "surrogateescape") + b"\0"
    buffer = writer.buffer(len(text), "format")
    strings.store_constant(writer, text, buffer)
    parameters = ", ".join(["const void *", "u32", *("u64" for _ in values)])
    call = f"((s64 (*)({parameters})){_TRACE_PRINTK})"  # a prototype of its own: a call with "..." isn't compiled
    writer.emit(f"{call}({', '.join([buffer.address, str(len(text)), *values])});")


def _value(writer: Writer, argument: ir.Expr) -> str:
    """A number, extended by its sign; of text its address in our memory."""
    if is_scalar(argument.type):
        return expressions.pinned(writer, expressions.value(writer, argument), argument.type)
    return f"(void *){places.in_our_memory(writer, argument).address}"
