"""Moving bytes: copies, zeroes and reads from kernel or user memory, each as the BPF machine does it best.

Comes in: places and sizes; goes out: statements. Small pieces become inline stores; big ones one helper call.
"""

from __future__ import annotations

from tracelang.codegen.failures import told, watched
from tracelang.codegen.values import Place
from tracelang.codegen.writer import Writer
from tracelang.source import Span
from tracelang.types import AddressSpace, StringType, Type, size_of

INLINE_LIMIT = 64
"""Bytes up to which copies and zeroes are inline stores."""


def _chunk(*places: Place) -> str:
    return f"u{min(place.aligned_to() for place in places) * 8}"


def copy(writer: Writer, *, source: Place, destination: Place, size: int) -> None:
    """`size` bytes between two places in BPF memory."""
    if size <= 0 or (source.base, source.offset) == (destination.base, destination.offset):
        return
    kind = _chunk(source, destination)
    if size <= INLINE_LIMIT * int(kind[1:]) // 64:
        writer.emit(f"__builtin_memcpy(({kind} *){destination.address}, ({kind} *){source.address}, {size});")
    else:
        writer.emit(f"bpf_probe_read_kernel({destination.address}, {size}, {source.address});")


def zero(writer: Writer, destination: Place, size: int) -> None:
    """`size` zero bytes in BPF memory."""
    if size <= 0:
        return
    kind = _chunk(destination)
    if size <= INLINE_LIMIT * int(kind[1:]) // 64:
        writer.emit(f"__builtin_memset(({kind} *){destination.address}, 0, {size});")
    else:
        # A read that fails zeroes its destination (since Linux 5.5, 6ae08ae3dea2): one call instead of many stores.
        writer.emit(f"bpf_probe_read_kernel({destination.address}, {size}, (void *)0);")


def read_into(
    writer: Writer,
    *,
    source: Place,
    destination: Place,
    type_: Type,
    zero_fill: bool = True,
    span: Span | None = None,
) -> None:
    """A value of the type from anywhere into BPF memory; zero bytes where it can't be read. span: what reads it."""
    size = size_of(type_)
    if source.is_ours:
        copy(writer, source=source, destination=destination, size=size)
        return
    space = "user" if source.space is AddressSpace.USER else "kernel"
    if isinstance(type_, StringType):
        if zero_fill:
            zero(writer, destination, size)
        call = f"bpf_probe_read_{space}_str({destination.address}, {size}, {source.pointer})"
        last = f"bpf_probe_read_{space}({destination.at(size - 1).address}, 1, {source.at(size - 1).pointer});"
        got = told(writer, call, span)
        # An array of characters that is full has no NUL, and the helper puts one over the last.
        writer.emit(f"if ({got} == {size}) {last}" if size > 1 else f"{got};")
    else:
        watched(writer, f"bpf_probe_read_{space}({destination.address}, {size}, {source.pointer})", span)
