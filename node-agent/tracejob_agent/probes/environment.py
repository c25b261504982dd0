"""What all providers need to know: the processes and CPUs that probes are put on, and what the kernel can do."""

from __future__ import annotations

import errno
import os
import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from tracejob_agent.bpf.instructions import instruction
from tracejob_agent.bpf.loader import LoadedProgram
from tracejob_agent.bpf.objects import load_program
from tracejob_agent.bpf.syscalls import AttachType, Buffer, Command, bpf
from tracejob_agent.errors import LoadError
from tracejob_agent.kernel.cpus import online_cpus
from tracejob_agent.narration import Tell, silent
from tracejob_agent.probes.perf_event import Handle
from tracelang.plan import Attachment, ProgramType

_RETURN_ZERO = instruction(0xB7) + instruction(0x95)


@dataclass
class Environment:
    """pids: attach to these processes only, where a provider can (empty: to all).

    warnings: what couldn't be attached although its neighbours of the same wildcard could. tell: takes what is done.
    """

    pids: tuple[int, ...] = ()
    warnings: list[str] = field(default_factory=list)
    tell: Tell = silent

    @cached_property
    def cpus(self) -> tuple[int, ...]:
        return online_cpus()

    @cached_property
    def has_uprobe_multi(self) -> bool:
        """One link for many user functions: since 6.6; its PID filter works since 6.10 (commit 46ba0e49b642).

        With that fix PID -1 is refused (EINVAL); "/" itself gives EBADF, it isn't a file to put a probe on.
        """
        return _tries_link(AttachType.UPROBE_MULTI, _uprobe_request(pid=0)) == errno.EBADF and (
            _tries_link(AttachType.UPROBE_MULTI, _uprobe_request(pid=-1)) == errno.EINVAL
        )

    @cached_property
    def has_kprobe_multi(self) -> bool:
        """One link for many kernel functions: since 5.18, when built with fprobes. An unknown function gives ESRCH."""
        return _tries_link(AttachType.KPROBE_MULTI, _kprobe_request) == errno.ESRCH


Attach = Callable[[LoadedProgram, Sequence[Attachment], Environment], Iterator[Handle]]
"""A provider: attaches a program at its places, one handle after the other. Raises AttachError."""


def _tries_link(attach_type: int, make_request: Callable[[int], tuple[bytes, object]]) -> int:
    """The error number of a link that can't come about."""
    try:
        program = load_program(_RETURN_ZERO, name="tj_try", type_=ProgramType.KPROBE.value, attach_type=attach_type)
    except LoadError:
        return 0
    try:
        request, _keep_alive = make_request(program)
        os.close(bpf(Command.LINK_CREATE, request))
    except OSError as error:
        return error.errno or 0
    finally:
        os.close(program)
    return 0


def _uprobe_request(*, pid: int) -> Callable[[int], tuple[bytes, object]]:
    def make(program: int) -> tuple[bytes, object]:
        path, offsets = Buffer(b"/\0"), Buffer(bytes(8))
        request = struct.pack(
            "<IIIIQQQQIIi",
            program,
            0,
            AttachType.UPROBE_MULTI,
            0,
            path.address,
            offsets.address,
            0,
            0,
            1,
            0,
            pid,
        )
        return request, (path, offsets)

    return make


def _kprobe_request(program: int) -> tuple[bytes, object]:
    name = Buffer(b"tj_no_such_function\0")
    names = Buffer(struct.pack("<Q", name.address))
    request = struct.pack("<IIIIIIQQQ", program, 0, AttachType.KPROBE_MULTI, 0, 0, 1, names.address, 0, 0)
    return request, (name, names)
