"""rawtracepoint: the arguments of the kernel's static events as they are passed, without a record."""

from __future__ import annotations

import errno
import struct
from collections.abc import Iterator, Sequence

from tracejob_agent.bpf.loader import LoadedProgram
from tracejob_agent.bpf.syscalls import Buffer, Command, bpf
from tracejob_agent.errors import AttachError
from tracejob_agent.probes.environment import Environment
from tracejob_agent.probes.perf_event import Handle
from tracelang.plan import Attachment


def attach(program: LoadedProgram, attachments: Sequence[Attachment], environment: Environment) -> Iterator[Handle]:
    for attachment in attachments:
        name = Buffer(attachment.location.function.encode() + b"\0")
        try:
            yield Handle(link=_open(program.descriptor, name.address, attachment.cookie))
        except OSError as error:
            raise AttachError(f"{attachment.location.name} can't be attached: {error.strerror}") from error


def _open(program: int, name: int, cookie: int) -> int:
    try:
        return bpf(Command.RAW_TRACEPOINT_OPEN, struct.pack("<QIIQ", name, program, 0, cookie))
    except OSError as error:
        # Cookies since 6.10 (commit 68ca5d4eebb8); a program that asks for its cookie didn't load before that.
        if error.errno not in (errno.EINVAL, errno.E2BIG) or not cookie:
            raise
        return bpf(Command.RAW_TRACEPOINT_OPEN, struct.pack("<QII", name, program, 0))
