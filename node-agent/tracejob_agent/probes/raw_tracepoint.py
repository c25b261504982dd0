"""rawtracepoint: the arguments of the kernel's static events as they are passed, without a record."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tracejob_agent.bpf.loader import LoadedProgram
from tracejob_agent.bpf.objects import open_raw_tracepoint
from tracejob_agent.errors import AttachError
from tracejob_agent.probes.environment import Environment
from tracejob_agent.probes.perf_event import Handle
from tracelang.plan import Attachment


def attach(program: LoadedProgram, attachments: Sequence[Attachment], environment: Environment) -> Iterator[Handle]:
    for attachment in attachments:
        location = attachment.location
        try:
            yield Handle(link=open_raw_tracepoint(program.descriptor, location.function, attachment.cookie))
        except OSError as error:
            raise AttachError(f"{location.name} can't be attached: {error.strerror}") from error
