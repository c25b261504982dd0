"""How deep this process's PID namespace lies: the level at which BPF programs find the numbers that /proc shows here.

BPF sees a task's number in every namespace. On a plain node the agent is in the outermost one (level 0); in a kind
node it is in the node container's (level 1). The kernel is asked: a program of ten instructions runs in this very
task.
"""

from __future__ import annotations

import os

from tracejob_agent.bpf.instructions import instruction
from tracejob_agent.bpf.objects import load_program, test_run
from tracejob_agent.errors import UnsupportedError
from tracejob_agent.kernel.refusals import NO_BTF
from tracelang.facts import Layout
from tracelang.plan import ProgramType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol
else:
    Protocol = object

# PROC_PID_INIT_INO of include/linux/proc_ns.h: the inode of the outermost PID namespace.
_OUTERMOST = 0xEFFFFFFC
_GET_CURRENT_TASK, _PROBE_READ_KERNEL = 35, 113
_MOVE, _MOVE_NUMBER, _ADD_NUMBER, _CALL, _EXIT = 0xBF, 0xB7, 0x07, 0x85, 0x95
_LOAD_U64, _LOAD_U32 = 0x79, 0x61
_NO_ARGUMENTS = bytes(8)


class Structs(Protocol):
    """The part of Facts that is needed here."""

    def struct(self, name: str) -> Layout | None: ...


def pid_namespace_level(structs: Structs) -> int:
    """0: the outermost. Raises UnsupportedError when the kernel's types aren't known."""
    if os.stat("/proc/self/ns/pid").st_ino == _OUTERMOST:
        return 0
    thread_pid = _offset(structs, "struct task_struct", "thread_pid")
    level = _offset(structs, "struct pid", "level")
    program = load_program(_program(thread_pid, level), name="tj_pid_level", type_=ProgramType.RAW_TRACEPOINT.value)
    try:
        return test_run(program, _NO_ARGUMENTS)
    finally:
        os.close(program)


def _offset(structs: Structs, struct_name: str, member: str) -> int:
    layout = structs.struct(struct_name)
    if layout is None and structs.struct("struct task_struct") is None:
        raise UnsupportedError(NO_BTF)
    if layout is None or member not in layout.members:
        raise UnsupportedError(f"the kernel's type information has no {member} in {struct_name}")
    return layout.members[member].offset


def _program(thread_pid: int, level: int) -> bytes:
    """`return current->thread_pid->level;`"""
    return b"".join(
        (
            instruction(_CALL, immediate=_GET_CURRENT_TASK),
            instruction(_MOVE, dst=3, src=0),
            instruction(_ADD_NUMBER, dst=3, immediate=thread_pid),
            *_read_to_stack(8),
            instruction(_LOAD_U64, dst=3, src=10, offset=-8),
            instruction(_ADD_NUMBER, dst=3, immediate=level),
            *_read_to_stack(4),
            instruction(_LOAD_U32, dst=0, src=10, offset=-8),
            instruction(_EXIT),
        )
    )


def _read_to_stack(size: int) -> tuple[bytes, ...]:
    """bpf_probe_read_kernel(stack - 8, size, r3)."""
    return (
        instruction(_MOVE, dst=1, src=10),
        instruction(_ADD_NUMBER, dst=1, immediate=-8),
        instruction(_MOVE_NUMBER, dst=2, immediate=size),
        instruction(_CALL, immediate=_PROBE_READ_KERNEL),
    )
