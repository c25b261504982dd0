"""The processor under the programs: pt_regs and the calling convention. The only module that knows x86-64.

Comes in: argument numbers and register names; goes out: byte offsets into the BPF context of kprobes, uprobes and
perf events, which is (or starts with) the kernel's struct pt_regs.
"""

from __future__ import annotations

PT_REGS: tuple[str, ...] = (
    "r15", "r14", "r13", "r12", "bp", "bx", "r11", "r10", "r9", "r8", "ax", "cx", "dx", "si", "di",
    "orig_ax", "ip", "cs", "flags", "sp", "ss",
)  # fmt: skip
"""Fields of struct pt_regs in order, 8 bytes each (arch/x86/include/asm/ptrace.h)."""

ARGUMENT_REGISTERS: tuple[str, ...] = ("di", "si", "dx", "cx", "r8", "r9")
"""Where the System V calling convention passes integer arguments."""

RETURN_REGISTER = "ax"
STACK_POINTER = "sp"
INSTRUCTION_POINTER = "ip"
CODE_SEGMENT = "cs"
USER_MODE_BITS = 3
"""Privilege level in the code segment register: 3 in user mode, 0 in the kernel."""

SYSTEM_CALLS = 512
"""More than there are numbers of system calls (470 in Linux 6.18)."""
SYSTEM_CALL_NUMBER = "orig_ax"
"""The register that holds it from the entry to the return."""
COMPAT_STATUS = 2
"""TS_COMPAT of thread_info.status: a 32-bit call, whose numbers are others; the kernel has no tracepoints for them."""

STACK_ARGUMENT_BASE = 8
"""sarg0 is above the return address (at function entry)."""


def register_offset(name: str) -> int:
    """Byte offset of a pt_regs field; KeyError when the machine has no such register."""
    try:
        return PT_REGS.index(name) * 8
    except ValueError:
        raise KeyError(name) from None


def argument_offset(index: int) -> int | None:
    """Byte offset of the N-th integer argument's register; None when it is passed on the stack."""
    if index < len(ARGUMENT_REGISTERS):
        return register_offset(ARGUMENT_REGISTERS[index])
    return None
