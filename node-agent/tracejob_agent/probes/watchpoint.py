"""watchpoint: the processor's debug registers on an address of a process, or of the kernel."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tracejob_agent.bpf.loader import LoadedProgram
from tracejob_agent.errors import AttachError
from tracejob_agent.probes.environment import Environment
from tracejob_agent.probes.perf_event import EventAttribute, EventType, Handle, attach_event
from tracelang.plan import Attachment

_MODES = {"r": 1, "w": 2, "rw": 3, "x": 4}
_EXECUTE_LENGTH = 8  # the only one that the kernel takes for instructions


def attach(program: LoadedProgram, attachments: Sequence[Attachment], environment: Environment) -> Iterator[Handle]:
    """On every thread of the given processes that there is now, or on every CPU without processes."""
    for attachment in attachments:
        options = attachment.options
        if "address" not in options:
            raise AttachError(f"{attachment.location.name}: a watchpoint on a function's argument isn't possible yet")
        mode = str(options["mode"])
        attribute = EventAttribute(
            EventType.BREAKPOINT,
            0,
            period=1,
            extra=int(options["address"]),
            extra_2=_EXECUTE_LENGTH if mode == "x" else int(options["length"]),
            breakpoint_type=_MODES[mode],
        )
        pid_and_cpu = [(pid, -1) for pid in environment.pids] or [(-1, cpu) for cpu in environment.cpus]
        for pid, cpu in pid_and_cpu:
            try:
                handle = attach_event(program.descriptor, attribute, cookie=attachment.cookie, pid=pid, cpu=cpu)
            except OSError as error:
                raise AttachError(f"{attachment.location.name} can't be attached: {error.strerror}") from error
            handle.address = int(options["address"])
            yield handle
