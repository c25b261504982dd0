"""iter: a walk over the kernel's objects. Attaching does nothing yet: reading a descriptor of the link walks."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator, Sequence

from tracejob_agent.bpf.loader import LoadedProgram
from tracejob_agent.bpf.syscalls import AttachType, Command, bpf
from tracejob_agent.errors import AttachError
from tracejob_agent.probes.environment import Environment
from tracejob_agent.probes.perf_event import Handle
from tracelang.plan import Attachment


def attach(program: LoadedProgram, attachments: Sequence[Attachment], environment: Environment) -> Iterator[Handle]:
    for attachment in attachments:
        try:
            request = struct.pack("<IIIIQI", program.descriptor, 0, AttachType.TRACE_ITER, 0, 0, 0)
            yield Handle(link=bpf(Command.LINK_CREATE, request))
        except OSError as error:
            raise AttachError(f"{attachment.location.name} can't be attached: {error.strerror}") from error


def walk(handle: Handle) -> Iterator[bytes]:
    """Runs the program over every object; yields what it wrote into the iterator's own file."""
    descriptor = bpf(Command.ITER_CREATE, struct.pack("<II", handle.link, 0))
    try:
        while chunk := os.read(descriptor, 1 << 16):
            yield chunk
    finally:
        os.close(descriptor)
