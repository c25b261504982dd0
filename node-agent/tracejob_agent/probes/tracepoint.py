"""tracepoint: the kernel's static events, each a perf event with the number that tracefs gives it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tracejob_agent.bpf.loader import LoadedProgram
from tracejob_agent.bpf.objects import open_raw_tracepoint
from tracejob_agent.errors import AttachError
from tracejob_agent.kernel.refusals import NO_TRACEFS
from tracejob_agent.kernel.tracefs import read_text, tracefs_folder
from tracejob_agent.probes.environment import Environment
from tracejob_agent.probes.perf_event import EventAttribute, EventType, Handle, attach_event
from tracelang.facts import Location
from tracelang.plan import Attachment


def attach(program: LoadedProgram, attachments: Sequence[Attachment], environment: Environment) -> Iterator[Handle]:
    """One perf event each; a program that many system calls share, at the raw tracepoint that feeds them all.

    An event sits on one CPU and fires on all: the kernel keeps programs per tracepoint. The event itself stays
    disabled: enabled, it would look at every call on its CPU once more, for samples that nobody wants (some 70 ns).
    """
    if program.spec.shared:
        try:
            yield Handle(link=open_raw_tracepoint(program.descriptor, program.spec.shared, 0))
        except OSError as error:
            raise AttachError(f"{program.spec.probe_text} can't be attached: {error.strerror}") from error
        return
    for attachment in attachments:
        location = attachment.location
        try:
            attribute = EventAttribute(EventType.TRACEPOINT, _event_number(location), is_disabled=True)
            yield attach_event(program.descriptor, attribute, cookie=attachment.cookie, cpu=environment.cpus[0])
        except (OSError, ValueError) as error:
            raise AttachError(f"{location.name} can't be attached: {error}") from error


def _event_number(location: Location) -> int:
    folder = tracefs_folder()
    if folder is None:
        raise AttachError(f"{location.name} can't be attached: {NO_TRACEFS}")
    return int(read_text(f"{folder}/events/{location.target}/{location.function}/id"))
