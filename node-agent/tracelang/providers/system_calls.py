"""Tracepoints of system calls that share one raw tracepoint: what every call enters and leaves through.

The user writes tracepoint:syscalls:sys_enter_*, hundreds of them; the kernel takes 37 ms to let go of each one, one
after the other. All of them are fed by sys_enter and sys_exit. See passes/share_system_calls.py.
"""

from __future__ import annotations

from tracelang.facts import Facts, Location
from tracelang.plan import ProgramType
from tracelang.providers.base import ArgumentField, FieldSource
from tracelang.providers.tracepoint import TRACEPOINT
from tracelang.structs import replace
from tracelang.types import S64


def _no_fields(facts: Facts, location: Location) -> dict[str, ArgumentField]:
    return {}


def _result(facts: Facts, location: Location) -> dict[str, ArgumentField]:
    """TP_PROTO(struct pt_regs *regs, long ret) of include/trace/events/syscalls.h."""
    return {"ret": ArgumentField("ret", S64, FieldSource.CONTEXT, offset=8)}


ENTER = replace(TRACEPOINT, program_type=ProgramType.RAW_TRACEPOINT, shared="sys_enter", fields=_no_fields)
EXIT = replace(TRACEPOINT, program_type=ProgramType.RAW_TRACEPOINT, shared="sys_exit", fields=_result)
