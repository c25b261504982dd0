"""What this kernel can do for a program, found by trying: one sentence for each provider that it can't serve."""

from __future__ import annotations

import os
from functools import cache

from tracejob_agent.kernel.syscalls import reason, try_perf_event, try_program

_TRACING, _FENTRY, _ITER = 26, 24, 28
_HARDWARE, _BREAKPOINT = 0, 5
_DEVICES = "/sys/bus/event_source/devices"


@cache
def has_kprobes() -> bool:
    return os.path.exists(f"{_DEVICES}/kprobe")


@cache
def has_uprobes() -> bool:
    return os.path.exists(f"{_DEVICES}/uprobe")


@cache
def tracing_refusal(attach_btf_id: int, attach_type: int = _FENTRY) -> str:
    """Why a program can't be put at a kernel function; "" when it can."""
    error = try_program(_TRACING, attach_type=attach_type, attach_btf_id=attach_btf_id)
    return reason(error) if error else ""


def iterator_refusal(attach_btf_id: int) -> str:
    return tracing_refusal(attach_btf_id, _ITER)


@cache
def hardware_refusal() -> str:
    """Why CPU counters can't be read."""
    error = try_perf_event(event_type=_HARDWARE)
    return reason(error) if error else ""


@cache
def watchpoint_refusal() -> str:
    error = try_perf_event(event_type=_BREAKPOINT, breakpoint_address=0xFFFFFFFF81000000)
    return reason(error) if error else ""
