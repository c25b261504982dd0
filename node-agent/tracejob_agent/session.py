"""A tracing session: a compiled plan and its byte code in, calls of a Sink out. All three front ends run one.

    load -> begin probes -> attach -> loop (events, snapshots, the controller's wishes) -> stop -> end probes -> finish
         -> release

Results are handed out before attachments are released: releasing waits tens of milliseconds for each tracepoint.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from types import FrameType
from typing import Protocol

from tracejob_agent.accounting import SAMPLE_EVERY, CostSampler
from tracejob_agent.bpf.loader import BtfIds, LoadedPlan, LoadedProgram, load, take_over
from tracejob_agent.bpf.objects import test_run
from tracejob_agent.bpf.ring_buffer import HEADER, BatchHandler, RingBuffer, discard, stride_of
from tracejob_agent.budget import WINDOW, CpuBudget
from tracejob_agent.launch import NO_ARGUMENTS, Launched, write_constants
from tracejob_agent.naps import Naps
from tracejob_agent.narration import Tell, silent, told
from tracejob_agent.output.symbol_follower import Follower, following
from tracejob_agent.output.user_symbols import UserSymbols
from tracejob_agent.probes.attach import AttachedProbes, attach_types
from tracejob_agent.probes.environment import Environment
from tracejob_agent.probes.iterator import walk
from tracejob_agent.probes.places import count_places
from tracejob_agent.sink import AttachReport, End, Finish, Losses, RawEntry, Sink
from tracejob_agent.stopwatch import Stopwatch
from tracelang.plan import EventKind, EventSpec, MapRole, MapSpec, Plan

_POLL_SECONDS = 0.002
_IDLE_POLL_SECONDS = 0.05
_IDLE_AFTER = 1.0
_CONTROL_SECONDS = 0.02
_LOSSES_SECONDS = 1.0
_BATCH = 65536
_SESSION_ACTIONS = (EventKind.EXIT, EventKind.CLEAR_MAP, EventKind.ZERO_MAP, EventKind.PRINT_MAP, EventKind.UNWATCH)
_NEVER = float("inf")


class Controller(Protocol):
    """The front end's side of a running session: it starts what waits for attachment, and says when to end."""

    def loaded(self, loaded: LoadedPlan) -> None:
        """Before any program runs: fill the scope's maps."""

    def attached(self) -> None:
        """All probes are on."""

    def poll(self) -> End | None:
        """Asked every 20 ms; when nothing happens, every 50."""


class NoController:
    """Of a session that ends by itself."""

    def loaded(self, loaded: LoadedPlan) -> None:
        pass

    def attached(self) -> None:
        pass

    def poll(self) -> End | None:
        return None


@dataclass(frozen=True, slots=True)
class SessionOptions:
    """Seconds; 0: no limit, no snapshots. cpu_percent: see `budget`; 0: no limit.

    pids: attach to these processes only, where a provider can. child: what `cpid` says. stages: nanoseconds that came
    before (parse, compile), for the report. log_size: see `load`. tell: takes what is done, step by step.
    """

    duration: float = 0.0
    interval: float = 0.0
    cpu_percent: float = 0.0
    pids: tuple[int, ...] = ()
    child: int = 0
    stages: Mapping[str, int] = field(default_factory=dict)
    log_size: int = 0
    tell: Tell = silent


class Session:
    """One run. `plan` and `start_boot_ns` and the read methods are the sink's SessionView."""

    def __init__(
        self,
        plan: Plan,
        functions: Mapping[str, bytes],
        *,
        sink: Sink,
        controller: Controller | None = None,
        options: SessionOptions | None = None,
        btf: BtfIds | None = None,
        symbols: UserSymbols | None = None,
        launched: Launched | None = None,
    ) -> None:
        """symbols: those that the sink names addresses of processes with; they are kept up to date.

        launched: the program, when it runs already; the session takes it over.
        """
        self.plan = plan
        self._launched = launched
        self.start_boot_ns = launched.start_boot_ns if launched else time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        self._functions = functions
        self._sink = sink
        self._controller: Controller = controller or NoController()
        self._options = options or SessionOptions()
        self._btf = btf
        self._symbols = symbols
        self._actions = {event.id: told(event, self._action(event), self._options.tell) for event in plan.events}
        self._exit_code: int | None = None  # set by exit()
        self._batches: dict[int, BatchHandler] = {}
        self._is_draining = False
        self._signals: list[str] = []
        self._last_losses = Losses()
        self._message = ""
        self._loaded: LoadedPlan
        self._sampler: CostSampler
        self._probes: AttachedProbes
        self._follower: Follower

    # --- the sink's view --------------------------------------------------------------------------------------

    def read_map(self, name: str) -> list[RawEntry]:
        return self._loaded.by_name(name).entries()

    def read_stack(self, key: int, depth: int) -> bytes:
        for found in self._loaded.maps.values():
            if found.spec.role == MapRole.STACKS and found.spec.value_size == depth * 8:
                return (found.lookup(key.to_bytes(found.spec.key_size, "little")) or (b"",))[0]
        return b""

    # --- the run ----------------------------------------------------------------------------------------------

    def run(self) -> Finish:
        """Raises EngineError for what keeps the session from tracing; nothing is left behind then."""
        environment = Environment(pids=self._options.pids, tell=self._options.tell)
        stages = dict(self._options.stages)
        watch = Stopwatch(stages)
        with self._load(environment) as loaded:
            self._loaded = loaded
            self._controller.loaded(loaded)
            watch.lap("load")
            with (
                following(self._symbols, self.plan) as self._follower,
                AttachedProbes() as probes,
                _open_ring(loaded) as ring,
            ):
                self._probes = probes
                if self._launched is not None:
                    probes.handles += self._launched.handles
                self._sink.started(self)
                self._batches = self._batch_actions()
                self._watch_signals()
                # A budget is watched more closely than the report in the end asks for.
                every = WINDOW / 2 if self._options.cpu_percent else SAMPLE_EVERY
                self._sampler = CostSampler(loaded, every)
                try:
                    return self._trace(environment, probes=probes, ring=ring, watch=watch)
                finally:
                    self._sampler.stop()

    def _load(self, environment: Environment) -> LoadedPlan:
        if self._launched is not None:
            return take_over(self.plan, self._launched.maps, self._launched.programs)
        loaded = load(
            self.plan,
            self._functions,
            attach_types=attach_types(self.plan, environment),
            btf=self._btf,
            log_size=self._options.log_size,
        )
        constants = loaded.by_role(MapRole.CONSTANTS)
        if constants is not None:
            write_constants(constants.descriptor, self.start_boot_ns, self._options.child)
        return loaded

    def _trace(
        self, environment: Environment, *, probes: AttachedProbes, ring: RingBuffer | None, watch: Stopwatch
    ) -> Finish:
        if self._launched is None:
            self._run_provider("begin")
            if not self._exits_at_once(ring):
                probes.attach(self._loaded, environment)
        watch.lap("attach")
        self._sink.attached(
            AttachReport(
                probes=count_places(self.plan.programs),
                stages=watch.stages,
                warnings=tuple(environment.warnings),
            )
        )
        self._controller.attached()
        with Naps() as naps:
            reason = self._loop(ring, probes, naps)
        # Nothing fires after this. What exit() left unread is dropped, as the program asked; else all of it counts.
        probes.stop()
        self._follower.poll(_NEVER)
        if self._exit_code is None:
            self._drain(ring)
        else:
            discard(ring)
        self._run_provider("end")
        self._drain(ring)
        self._sampler.stop()
        finish = Finish(
            reason=reason,
            exit_code=self._exit_code or 0,
            maps=self._all_maps(),
            losses=self._sampler.losses(),
            cost=self._sampler.cost(),
            message=self._message,
        )
        self._sink.finished(finish)
        return finish

    def _loop(self, ring: RingBuffer | None, probes: AttachedProbes, naps: Naps) -> End:
        options = self._options
        now = time.monotonic()
        deadline = now + options.duration if options.duration else _NEVER
        next_snapshot = now + options.interval if options.interval else _NEVER
        next_losses = now + _LOSSES_SECONDS
        next_control = now
        last_event = now
        budget = CpuBudget(options.cpu_percent, self._sampler.spent)
        if probes.iterators:
            return self._iterate(ring, probes)
        while True:
            count = self._consume(ring)
            if self._exit_code is not None:
                return End.EXIT
            now = time.monotonic()
            if count:
                last_event = now
                self._sink.tick()
            if self._signals:
                self._run_signal_probes()
            if now >= next_control:
                next_control = now + _CONTROL_SECONDS
                wish = self._controller.poll()
                if wish is not None:
                    return wish
            if now >= deadline:
                return End.DURATION
            self._follower.poll(now)
            self._sampler.sample(now)
            self._message = budget.excess(now)
            if self._message:
                return End.OVER_BUDGET
            if now >= next_losses:
                next_losses = now + _LOSSES_SECONDS
                self._report_losses()
            if now >= next_snapshot:
                next_snapshot = max(next_snapshot + options.interval, now)
                self._sink.snapshot(self._all_maps(), self._sampler.losses())
            if count < _BATCH:
                idle = now - last_event > _IDLE_AFTER
                naps.nap(_IDLE_POLL_SECONDS if idle else _POLL_SECONDS)

    def _iterate(self, ring: RingBuffer | None, probes: AttachedProbes) -> End:
        """iter probes walk once; events are read after each chunk, as one walk may make more than the buffer holds."""
        for handle in probes.iterators:
            for _chunk in walk(handle):
                self._consume(ring)
            self._drain(ring)
        return End.EXIT if self._exit_code is not None else End.ITERATED

    # --- events -----------------------------------------------------------------------------------------------

    def _consume(self, ring: RingBuffer | None) -> int:
        if ring is None or self._exit_code is not None:
            return 0
        if not self._sink.has_room():
            # Whoever reads our output is slow. Events wait in the ring; what doesn't fit there is counted there.
            self._sink.tick()
            return 0
        return ring.consume(self._handle, limit=_BATCH, batches=self._batches)

    def _drain(self, ring: RingBuffer | None) -> None:
        """Everything that is there; an exit() among it ends nothing any more."""
        self._is_draining = True
        while ring and ring.consume(self._handle, batches=self._batches):
            pass
        self._is_draining = False
        self._sink.tick()

    def _handle(self, event_id: int, record: memoryview) -> None:
        if self._exit_code is None or self._is_draining:  # else it stands behind exit() in the same batch
            self._actions[event_id](record)

    def _action(self, event: EventSpec) -> Callable[[memoryview], None]:
        """What to do with one kind of record."""
        match event.kind:
            case EventKind.EXIT:
                return partial(self._note_exit, event)
            case EventKind.CLEAR_MAP:
                return lambda record: self._loaded.by_name(event.map).clear()
            case EventKind.UNWATCH:
                return lambda record: self._probes.unwatch(int.from_bytes(record[8:16], "little"))
            case EventKind.ZERO_MAP:
                return lambda record: self._loaded.by_name(event.map).zero()
            case EventKind.PRINT_MAP:
                return lambda record: self._sink.print_map(event, record, self.read_map(event.map))
            case _:
                return partial(self._sink.event, event)

    def _batch_actions(self) -> dict[int, BatchHandler]:
        """Of the events that the sink takes in bulk; none where each is told of."""
        found: dict[int, BatchHandler] = {}
        for event in self.plan.events:
            if event.kind in _SESSION_ACTIONS or self._options.tell is not silent:
                continue
            action = self._sink.batch(event, offset=HEADER, stride=stride_of(event.size))
            if action is not None:
                found[event.id] = partial(self._handle_batch, action)
        return found

    def _handle_batch(self, action: BatchHandler, records: memoryview) -> None:
        if self._exit_code is None or self._is_draining:
            action(records)

    def _note_exit(self, event: EventSpec, record: memoryview) -> None:
        """The last one counts: an end probe's own, over what ended the session."""
        self._exit_code = record[event.fields[0].offset] if event.fields else 0

    def _exits_at_once(self, ring: RingBuffer | None) -> bool:
        """Whether a begin probe called exit(): then nothing is attached. Its output stays for after the report."""
        exits = {event.id for event in self.plan.events if event.kind is EventKind.EXIT}
        return bool(ring and exits) and not exits.isdisjoint(ring.peek() if ring else ())

    # --- programs that the session runs itself ------------------------------------------------------------------

    def _run_provider(self, provider: str, accept: Callable[[LoadedProgram], bool] = lambda program: True) -> None:
        """In the order of the program's text."""
        chosen = [
            program
            for program in self._loaded.programs
            if any(item.provider == provider for item in program.spec.attachments) and accept(program)
        ]
        for program in sorted(chosen, key=lambda item: item.spec.probe_index):
            if provider in ("begin", "end"):
                self._options.tell(f"Attaching '{provider}' probe")
            test_run(program.descriptor, NO_ARGUMENTS)

    def _watch_signals(self) -> None:
        """self:signal:NAME. Other signals are the front end's."""
        for spec in self.plan.programs:
            for item in spec.attachments:
                if item.provider == "self" and "signal" in item.options:
                    signal.signal(signal.Signals[str(item.options["signal"])], self._note_signal)

    def _note_signal(self, number: int, frame: FrameType | None) -> None:
        self._signals.append(signal.Signals(number).name)

    def _run_signal_probes(self) -> None:
        waiting, self._signals = self._signals, []
        for name in waiting:
            self._run_provider("self", partial(_waits_for, name))

    # --- maps -------------------------------------------------------------------------------------------------

    def _all_maps(self) -> tuple[tuple[MapSpec, list[RawEntry]], ...]:
        return tuple((spec, self._loaded.maps[spec.index].entries()) for spec in self.plan.user_maps())

    def _report_losses(self) -> None:
        losses = self._sampler.losses()
        if losses != self._last_losses:
            self._last_losses = losses
            self._sink.losses(losses)


def _open_ring(loaded: LoadedPlan) -> AbstractContextManager[RingBuffer | None]:
    """The reader of the plan's event buffer; None for a program that has no events: mapped pages count as memory."""
    events = loaded.by_role(MapRole.EVENTS)
    return RingBuffer(events) if events is not None and loaded.plan.events else nullcontext()


def _waits_for(signal_name: str, program: LoadedProgram) -> bool:
    return any(item.options.get("signal") == signal_name for item in program.spec.attachments)
