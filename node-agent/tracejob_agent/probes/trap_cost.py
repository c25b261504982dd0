"""What one hit of a uprobe takes from the process that it stops, measured on this machine: a trap, an empty program.

The agent probes a function of its own for some milliseconds. Where that isn't possible, nothing is known: 0.
"""

from __future__ import annotations

import ctypes
import os
import time
from functools import cache
from pathlib import Path

from tracejob_agent.bpf.instructions import instruction
from tracejob_agent.bpf.objects import load_program
from tracejob_agent.bpf.syscalls import AttachType
from tracejob_agent.errors import EngineError
from tracejob_agent.kernel.elf import Elf, ElfError
from tracejob_agent.output.process_maps import read_maps
from tracejob_agent.probes.user_functions import open_link
from tracelang.plan import ProgramType

_FUNCTION = "labs"  # takes a nanosecond or two, and nobody else in this process calls it
_CALLS = 200
_ROUNDS = 5
_RETURN_ZERO = instruction(0xB7) + instruction(0x95)


@cache
def user_function_nanoseconds() -> float:
    """Of one hit."""
    try:
        path, offset = _place()
        program = load_program(
            _RETURN_ZERO, name="tj_trap", type_=ProgramType.KPROBE.value, attach_type=AttachType.UPROBE_MULTI
        )
    except (OSError, ElfError, EngineError):
        return 0.0
    try:
        function = ctypes.CDLL(None)[_FUNCTION]
        without = _nanoseconds(function)
        link = open_link(program, path=path, offsets=[offset], semaphores=[0], cookies=[0], pid=os.getpid())
        try:
            return max(0.0, _nanoseconds(function) - without)
        finally:
            os.close(link)
    except OSError:
        return 0.0
    finally:
        os.close(program)


def _place() -> tuple[str, int]:
    """Where the function is in the C library that this process maps. Raises OSError, ElfError."""
    for mapping in read_maps(os.getpid()):
        if Path(mapping.path).name.startswith(("libc.so", "libc-", "ld-musl")):
            elf = Elf(Path(mapping.path))
            symbol = elf.find_symbol(_FUNCTION)
            offset = elf.file_offset(symbol.address) if symbol else None
            if offset is not None:
                return mapping.path, offset
    raise OSError


def _nanoseconds(function: ctypes._NamedFuncPointer) -> float:
    """Of one call, in the best round."""
    best = float("inf")
    for _ in range(_ROUNDS):
        start = time.perf_counter_ns()
        for _ in range(_CALLS):
            function(1)
        best = min(best, (time.perf_counter_ns() - start) / _CALLS)
    return best
