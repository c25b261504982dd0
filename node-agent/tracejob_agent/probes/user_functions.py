"""uprobe, uretprobe and usdt: places in binaries, given as path and file offset.

Since 6.6 one link takes any number of places of a file (commit 89ae89f53d20): ten take 0.5 ms to attach and 25 ms to
detach, where ten perf events take 800 ms to go. Older kernels get a perf event each.
"""

from __future__ import annotations

import errno
import struct
from collections.abc import Iterator, Sequence
from itertools import groupby

from tracejob_agent.bpf.loader import LoadedProgram
from tracejob_agent.bpf.syscalls import AttachType, Buffer, Command, bpf
from tracejob_agent.errors import AttachError
from tracejob_agent.probes.environment import Environment
from tracejob_agent.probes.perf_event import EventAttribute, Handle, attach_event, event_source, path_buffer
from tracelang.plan import Attachment

_MULTI_RETURN = 1
_EVENT_RETURN = 1
_SEMAPHORE_SHIFT = 32


def attach(program: LoadedProgram, attachments: Sequence[Attachment], environment: Environment) -> Iterator[Handle]:
    if program.attach_type == AttachType.UPROBE_MULTI:
        return _attach_together(program, attachments, environment)
    return _attach_each(program, attachments, environment)


def _attach_together(
    program: LoadedProgram, attachments: Sequence[Attachment], environment: Environment
) -> Iterator[Handle]:
    def place(attachment: Attachment) -> tuple[str, int, bool]:
        return attachment.location.target, attachment.location.pid, attachment.provider == "uretprobe"

    for (path, pid, is_return), group in groupby(sorted(attachments, key=place), key=place):
        members = list(group)
        for process in (pid,) if pid else environment.pids or (0,):
            try:
                yield _link(program, members, path=path, pid=process, is_return=is_return)
            except OSError as error:
                if len(members) == 1 or error.errno in (errno.ENOENT, errno.ESRCH, errno.EPERM):
                    raise _failure(members[0], error) from error
                yield from _link_those_that_can(
                    program, members, path=path, pid=process, is_return=is_return, environment=environment
                )


def _link_those_that_can(
    program: LoadedProgram,
    members: list[Attachment],
    *,
    path: str,
    pid: int,
    is_return: bool,
    environment: Environment,
) -> Iterator[Handle]:
    """One by one: a place in the middle of an instruction, or in data, doesn't spoil its neighbours."""
    attached = 0
    last: AttachError | None = None
    for member in members:
        try:
            yield _link(program, [member], path=path, pid=pid, is_return=is_return)
            attached += 1
        except OSError as error:
            last = _failure(member, error)
            environment.warnings.append(str(last))
    if not attached and last is not None:
        raise last


def _link(program: LoadedProgram, members: Sequence[Attachment], *, path: str, pid: int, is_return: bool) -> Handle:
    link = open_link(
        program.descriptor,
        path=path,
        offsets=[item.location.address for item in members],
        semaphores=[item.location.semaphore for item in members],
        cookies=[item.cookie for item in members],
        pid=pid,
        is_return=is_return,
    )
    return Handle(link=link)


def open_link(
    program: int,
    *,
    path: str,
    offsets: Sequence[int],
    semaphores: Sequence[int],
    cookies: Sequence[int],
    pid: int = 0,
    is_return: bool = False,
) -> int:
    """The descriptor of one link for many places of a file; pid 0: of all processes. Raises OSError."""
    words = f"<{len(offsets)}Q"
    file = path_buffer(path)
    places, counters, numbers = (Buffer(struct.pack(words, *item)) for item in (offsets, semaphores, cookies))
    request = struct.pack(
        "<IIIIQQQQIIi",
        program,
        0,
        AttachType.UPROBE_MULTI,
        0,
        file.address,
        places.address,
        counters.address,
        numbers.address,
        len(offsets),
        _MULTI_RETURN if is_return else 0,
        pid,
    )
    return bpf(Command.LINK_CREATE, request)


def _attach_each(
    program: LoadedProgram, attachments: Sequence[Attachment], environment: Environment
) -> Iterator[Handle]:
    source = event_source("uprobe")
    if source is None:
        raise AttachError("this kernel was built without uprobes")
    for attachment in attachments:
        location = attachment.location
        path = path_buffer(location.target)
        config = location.semaphore << _SEMAPHORE_SHIFT
        if attachment.provider == "uretprobe":
            config |= _EVENT_RETURN
        attribute = EventAttribute(source, config, extra=path.address, extra_2=location.address, keep_alive=path)
        processes = (location.pid,) if location.pid else environment.pids or (-1,)
        for pid in processes:
            try:
                cpu = -1 if pid > 0 else environment.cpus[0]
                yield attach_event(program.descriptor, attribute, cookie=attachment.cookie, pid=pid, cpu=cpu)
            except OSError as error:
                failure = _failure(attachment, error)
                if len(attachments) == 1:
                    raise failure from error
                environment.warnings.append(str(failure))


def _failure(attachment: Attachment, error: OSError) -> AttachError:
    return AttachError(f"{attachment.location.name} can't be attached: {error.strerror}")
