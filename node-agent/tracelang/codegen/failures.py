"""Helpers that say no: the call in C text goes in, the same call with an event for its refusal goes out.

Which calls are watched is the analyser's choice (`Analysis.failure`); the others are written as they are.
"""

from __future__ import annotations

from tracelang.codegen.writer import Writer
from tracelang.plan import MapRole
from tracelang.source import Span

BPF_RB_NO_WAKEUP = 1


def watched(writer: Writer, call: str, span: Span | None, *, note: str = "") -> None:
    """A read of kernel or user memory; its refusal is told when somebody asked for that."""
    got = told(writer, call, span)
    if got == call:
        writer.emit(f"{call};{note}")


def told(writer: Writer, call: str, span: Span | None) -> str:
    """What the call gives, as C: the call itself, or a variable when its refusal has just been told of."""
    event = _event(writer, "read", span)
    if event is None:
        return call
    code = writer.temp_of("s64", call, "code")
    with writer.block(f"if ({code} < 0)"):
        _tell(writer, event, code)
    return code


def map_is_full(writer: Writer, span: Span, code: int) -> None:
    """An update that was refused."""
    event = _event(writer, "full", span)
    if event is not None:
        _tell(writer, event, str(code))


def _event(writer: Writer, what: str, span: Span | None) -> int | None:
    return None if span is None else writer.module.typed.failures.get((what, span))


def _tell(writer: Writer, event: int, code: str) -> None:
    """By a copy from the stack: a reservation of the ring buffer may be open here, which a second one would outlive."""
    name = writer.fresh("failure")
    macro = writer.module.role_macro(MapRole.EVENTS)
    writer.emit(f"struct event_{event} {name} = {{ .id = {event}, .a0 = {code} }};")
    writer.emit(f"bpf_ringbuf_output({macro}, &{name}, sizeof({name}), {BPF_RB_NO_WAKEUP});")
