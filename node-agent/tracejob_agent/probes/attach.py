"""All probes of a session: attached in order, stopped fast, closed. A new probe type is a provider and a row here."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType

from tracejob_agent.bpf.loader import LoadedPlan, LoadedProgram
from tracejob_agent.bpf.syscalls import AttachType
from tracejob_agent.errors import AttachError, NotPermittedError
from tracejob_agent.kernel.refusals import refusal_hint
from tracejob_agent.probes import (
    counters,
    iterator,
    kernel_functions,
    raw_tracepoint,
    timers,
    tracepoint,
    user_functions,
    watchpoint,
)
from tracejob_agent.probes.environment import Attach, Environment
from tracejob_agent.probes.perf_event import Handle
from tracelang.plan import Attachment, Plan, ProgramSpec

PROVIDERS: Mapping[str, Attach] = {
    "tracepoint": tracepoint.attach,
    "rawtracepoint": raw_tracepoint.attach,
    "interval": timers.attach,
    "profile": timers.attach,
    "software": counters.attach,
    "hardware": counters.attach,
    "uprobe": user_functions.attach,
    "uretprobe": user_functions.attach,
    "usdt": user_functions.attach,
    "kprobe": kernel_functions.attach,
    "kretprobe": kernel_functions.attach,
    "fentry": kernel_functions.attach_tracing,
    "fexit": kernel_functions.attach_tracing,
    "iter": iterator.attach,
    "watchpoint": watchpoint.attach,
    "asyncwatchpoint": watchpoint.attach,
}
RUN_BY_SESSION = frozenset({"begin", "end", "self", "bench", "test"})
"""Never attached: the session runs them itself."""

_USER = frozenset({"uprobe", "uretprobe", "usdt"})
_KERNEL = frozenset({"kprobe", "kretprobe"})
_CLOSERS = 64
_CLOSE_HERE = 4
_SPARE_FILES = 3


def attach_types(plan: Plan, environment: Environment) -> dict[str, int]:
    """By program name: those that are loaded for one link over many places."""
    return {spec.name: chosen for spec in plan.programs if (chosen := _attach_type(spec, environment))}


def _attach_type(spec: ProgramSpec, environment: Environment) -> int:
    providers = {item.provider for item in spec.attachments}
    if providers and providers <= _USER and environment.has_uprobe_multi:
        return AttachType.UPROBE_MULTI
    if len(spec.attachments) > 1 and len(providers) == 1 and providers <= _KERNEL and environment.has_kprobe_multi:
        # A place inside a function takes a probe of its own.
        return 0 if any(item.location.offset for item in spec.attachments) else AttachType.KPROBE_MULTI
    return 0


@dataclass(slots=True)
class AttachedProbes:
    """Everything that is attached. Use as a context manager, or stop() first and close() when there is time."""

    handles: list[Handle] = field(default_factory=list)
    iterators: list[Handle] = field(default_factory=list)
    is_stopped: bool = False

    def __enter__(self) -> AttachedProbes:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def attach(self, loaded: LoadedPlan, environment: Environment) -> None:
        """Raises AttachError or NotPermittedError; what is attached until then goes with close()."""
        try:
            self._attach(loaded, environment)
            _check_room_for_files()
        except AttachError as error:
            number = error.__cause__.errno if isinstance(error.__cause__, OSError) else None
            hint = refusal_hint(number)
            if hint:
                raise NotPermittedError(f"{error}{hint}") from error
            raise

    def _attach(self, loaded: LoadedPlan, environment: Environment) -> None:
        """A place that the kernel refuses is as good as one that is missing: `missing_probes` says what then."""
        wish = loaded.plan.config.get("missing_probes", "error")
        refused: AttachError | None = None
        for program in _in_order(loaded.programs):
            for provider, attachments in _by_provider(program):
                try:
                    self._attach_provider(program, provider, attachments, environment)
                except AttachError as error:
                    if wish == "error":
                        raise
                    refused = error
                    if wish == "warn" and str(error) not in environment.warnings:
                        environment.warnings.append(str(error))
        if refused is not None and not self.handles:
            raise refused

    def _attach_provider(
        self, program: LoadedProgram, provider: str, attachments: list[Attachment], environment: Environment
    ) -> None:
        attach = PROVIDERS.get(provider)
        if attach is None:
            raise AttachError(f"{program.spec.probe_text}: no way to attach a {provider} probe")
        environment.tell(f"Trying to attach probe: {program.spec.probe_text}")
        if len(attachments) > 1:
            environment.tell(f"Attaching to {len(attachments)} functions")
            for item in attachments:
                environment.tell(item.location.name.partition(":")[2])
        for handle in attach(program, attachments, environment):
            self.handles.append(handle)
            if provider == "iter":
                self.iterators.append(handle)

    def unwatch(self, address: int) -> None:
        """Nothing watches the address any more."""
        gone = [handle for handle in self.handles if handle.address == address]
        self.handles = [handle for handle in self.handles if handle.address != address]
        _close_all(item for handle in gone for item in (handle.link, handle.event) if item >= 0)

    def stop(self) -> None:
        """No program fires after this. Without links (old kernels) that takes closing the events too."""
        if self.is_stopped:
            return
        self.is_stopped = True
        _close_all(handle.link if handle.link >= 0 else handle.event for handle in self.handles)
        left = [item.event for item in self.handles if item.link >= 0 and item.event >= 0]
        self.handles = [Handle(link=-1, event=event) for event in left]
        self.iterators = []

    def close(self) -> None:
        """Nothing fires any more, and soon nothing is left: many events are closed by a child (_close_behind)."""
        self.stop()
        events = [handle.event for handle in self.handles]
        self.handles = []
        if len(events) > _CLOSE_HERE:
            _close_behind(events)
        else:
            _close_all(events)


def _in_order(programs: Sequence[LoadedProgram]) -> list[LoadedProgram]:
    """Two probes at one place fire in the order of the program's text.

    The kernel runs a uprobe's consumers newest first (consumer_add in kernel/events/uprobes.c), others oldest first.
    """
    user = [item for item in programs if any(one.provider in _USER for one in item.spec.attachments)]
    return [*(item for item in programs if item not in user), *reversed(user)]


def _check_room_for_files() -> None:
    """Better told now than when a session can't read its own memory's size in the end."""
    spare: list[int] = []
    try:
        for _ in range(_SPARE_FILES):
            spare.append(os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC))
    except OSError as error:
        raise AttachError(f"no files are left to open beside the probes: {error.strerror}") from error
    finally:
        _close_all(spare)


def _by_provider(program: LoadedProgram) -> Iterable[tuple[str, list[Attachment]]]:
    groups: dict[str, list[Attachment]] = {}
    for attachment in program.spec.attachments:
        if attachment.provider not in RUN_BY_SESSION:
            groups.setdefault(attachment.provider, []).append(attachment)
    return groups.items()


def _close_behind(events: list[int]) -> None:
    """The kernel takes 32 ms for each tracepoint's event, one after the other: the last one to close it waits.

    That is to be a child: it waits until this process has closed its own descriptors, which costs nothing then.
    Programs are detached by now; what is left costs the traced processes nothing.
    """
    waits, done = os.pipe2(os.O_CLOEXEC)
    try:
        child = os.fork()
    except OSError:
        child = -1
    if child == 0:
        try:
            os.setsid()
            # The terminal and the reader of our output mustn't wait for this, nor maps and programs stay with it.
            null = os.open(os.devnull, os.O_RDWR)
            for standard in (0, 1, 2):
                os.dup2(null, standard)
            _keep_only({0, 1, 2, waits, *events})
            # A second child, which is nobody's to wait for.
            if os.fork() == 0:
                os.read(waits, 1)  # until `done` is closed everywhere
                _close_all(events)
        finally:
            os._exit(0)
    if child > 0:
        os.waitpid(child, 0)
    _close_all(events)
    os.close(done)
    os.close(waits)


def _keep_only(descriptors: set[int]) -> None:
    last = -1
    for descriptor in (*sorted(descriptors), os.sysconf("SC_OPEN_MAX")):
        if descriptor > last + 1:  # an empty range up to 0 would be everything
            os.closerange(last + 1, descriptor)
        last = descriptor


def _close_all(descriptors: Iterable[int]) -> None:
    """Many at once: each waits for a grace period of the kernel, and they can wait for the same one."""
    waiting = [descriptor for descriptor in descriptors if descriptor >= 0]
    if len(waiting) < 2:
        for descriptor in waiting:
            os.close(descriptor)
        return
    import threading

    def work() -> None:
        while True:
            try:
                descriptor = waiting.pop()
            except IndexError:
                return
            with suppress(OSError):
                os.close(descriptor)

    threads = [threading.Thread(target=work) for _ in range(min(_CLOSERS, len(waiting)))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
