"""interval (a clock on one CPU) and profile (a clock on each)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tracejob_agent.bpf.loader import LoadedProgram
from tracejob_agent.errors import AttachError
from tracejob_agent.probes.environment import Environment
from tracejob_agent.probes.perf_event import CPU_CLOCK, EventAttribute, EventType, Handle, attach_event
from tracelang.plan import Attachment

_SECOND = 1_000_000_000


def attach(program: LoadedProgram, attachments: Sequence[Attachment], environment: Environment) -> Iterator[Handle]:
    for attachment in attachments:
        attribute = EventAttribute(EventType.SOFTWARE, CPU_CLOCK, period=period_of(attachment))
        cpus = environment.cpus if attachment.provider == "profile" else environment.cpus[:1]
        for cpu in cpus:
            try:
                yield attach_event(program.descriptor, attribute, cookie=attachment.cookie, cpu=cpu)
            except OSError as error:
                raise AttachError(f"{attachment.location.name} can't be attached: {error.strerror}") from error


def period_of(attachment: Attachment) -> int:
    """Nanoseconds between two rounds."""
    frequency = int(attachment.options.get("frequency", 0))
    return max(1, _SECOND // frequency) if frequency else int(attachment.options["period"])
