"""kprobe and kretprobe (one link for many where the kernel can), fentry and fexit: functions of the kernel."""

from __future__ import annotations

import errno
import os
import struct
from collections.abc import Iterator, Sequence

from tracejob_agent.bpf.loader import LoadedProgram
from tracejob_agent.bpf.syscalls import AttachType, Buffer, Command, bpf
from tracejob_agent.errors import AttachError
from tracejob_agent.probes.environment import Environment
from tracejob_agent.probes.perf_event import EventAttribute, Handle, attach_event, event_source
from tracelang.plan import Attachment

_MULTI_RETURN = 1
_EVENT_RETURN = 1


def attach(program: LoadedProgram, attachments: Sequence[Attachment], environment: Environment) -> Iterator[Handle]:
    if program.attach_type == AttachType.KPROBE_MULTI:
        yield from _link_those_that_can(program, attachments, environment)
        return
    source = event_source("kprobe")
    if source is None:
        raise AttachError("this kernel was built without kprobes")
    attached = 0
    last: AttachError | None = None
    for attachment in attachments:
        location = attachment.location
        name = Buffer(location.function.encode() + b"\0")
        config = _EVENT_RETURN if attachment.provider == "kretprobe" else 0
        attribute = EventAttribute(source, config, extra=name.address, extra_2=location.offset, keep_alive=name)
        try:
            yield attach_event(program.descriptor, attribute, cookie=attachment.cookie, cpu=environment.cpus[0])
            attached += 1
        except OSError as error:
            # The kernel keeps some functions to itself (noinstr, the blacklist): a wildcard goes on without them.
            last = AttachError(f"{location.name} can't be attached: {_reason(error)}")
            environment.warnings.append(str(last))
    if not attached and last is not None:
        raise last


def attach_tracing(
    program: LoadedProgram, attachments: Sequence[Attachment], environment: Environment
) -> Iterator[Handle]:
    """fentry, fexit: the program named its function when it was loaded."""
    for attachment in attachments:
        request = struct.pack("<IIIIIIQ", program.descriptor, 0, program.attach_type, 0, 0, 0, attachment.cookie)
        try:
            yield Handle(link=_link_tracing(program, request))
        except OSError as error:
            raise AttachError(f"{attachment.location.name} can't be attached: {error.strerror}") from error


def _link_tracing(program: LoadedProgram, request: bytes) -> int:
    try:
        return bpf(Command.LINK_CREATE, request)
    except OSError as error:
        # Links of fentry since 5.19 (commit 2fcc82411e74); before that they are opened as a nameless raw tracepoint.
        if error.errno != errno.EINVAL:
            raise
        return bpf(Command.RAW_TRACEPOINT_OPEN, struct.pack("<QII", 0, program.descriptor, 0))


def _reason(error: OSError) -> str:
    match error.errno:
        case errno.EILSEQ:
            return "no instruction starts there"
        case errno.EINVAL:
            return "the kernel keeps this function to itself"
    return error.strerror or os.strerror(error.errno or 0)


def _link_those_that_can(
    program: LoadedProgram, attachments: Sequence[Attachment], environment: Environment
) -> Iterator[Handle]:
    """One link for all. What the kernel refuses is found by halves: a wildcard goes on without it."""
    waiting = [attachments]
    attached = False
    last: AttachError | None = None
    while waiting:
        members = waiting.pop()
        try:
            yield _link_together(program, members)
            attached = True
        except OSError as error:
            if len(members) > 1:
                middle = len(members) // 2
                waiting += [members[middle:], members[:middle]]
                continue
            last = AttachError(f"{members[0].location.name} can't be attached: {_reason(error)}")
            environment.warnings.append(str(last))
    if not attached and last is not None:
        raise last


def _link_together(program: LoadedProgram, attachments: Sequence[Attachment]) -> Handle:
    count = len(attachments)
    names = [Buffer(item.location.function.encode() + b"\0") for item in attachments]
    addresses = Buffer(struct.pack(f"<{count}Q", *(name.address for name in names)))
    cookies = Buffer(struct.pack(f"<{count}Q", *(item.cookie for item in attachments)))
    flags = _MULTI_RETURN if attachments[0].provider == "kretprobe" else 0
    head = (program.descriptor, 0, AttachType.KPROBE_MULTI, 0, flags, count)
    request = struct.pack("<IIIIIIQQQ", *head, addresses.address, 0, cookies.address)
    return Handle(link=bpf(Command.LINK_CREATE, request))
