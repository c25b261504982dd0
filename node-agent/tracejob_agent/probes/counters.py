"""software and hardware: the program runs on every N-th event of a counter, on each CPU."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tracejob_agent.bpf.loader import LoadedProgram
from tracejob_agent.errors import AttachError
from tracejob_agent.probes.environment import Environment
from tracejob_agent.probes.perf_event import EventAttribute, EventType, Handle, attach_event
from tracelang.plan import Attachment


def attach(program: LoadedProgram, attachments: Sequence[Attachment], environment: Environment) -> Iterator[Handle]:
    for attachment in attachments:
        type_ = EventType.SOFTWARE if attachment.provider == "software" else EventType.HARDWARE
        attribute = EventAttribute(type_, int(attachment.options["event"]), period=int(attachment.options["period"]))
        for cpu in environment.cpus:
            try:
                yield attach_event(program.descriptor, attribute, cookie=attachment.cookie, cpu=cpu)
            except OSError as error:
                raise AttachError(f"{attachment.location.name} can't be attached: {error.strerror}") from error
