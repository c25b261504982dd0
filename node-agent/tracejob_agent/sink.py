"""What a session tells its output, as a Protocol: text, JSON and records are three sinks of the same session.

    started -> attached -> (event | print_map | snapshot | losses)* -> finished

A session reads maps and counts losses; what a value means and how it is shown is the sink's business.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol

from tracelang.plan import EventSpec, MapSpec, Plan

RawEntry = tuple[bytes, tuple[bytes, ...]]
"""A map's key, and its value: one for a shared map, one per CPU for a per-CPU map."""


class End(Enum):
    """Why a session ended."""

    DURATION = "duration"
    EXIT = "exit"  # exit() in the program
    STOPPED = "stopped"  # by the front end's controller
    SIGNAL = "signal"
    CHILD = "child"  # the command that was traced ended
    TARGETS_GONE = "targets-gone"
    ITERATED = "iterated"  # an iter program has walked over everything
    OVER_BUDGET = "over-budget"  # limits.cpuPercent


@dataclass(frozen=True, slots=True)
class Lost:
    """What was lost of one probe, or of all: absolute numbers since the start."""

    ring_full: int = 0  # events
    map_full: int = 0  # updates
    rate_limited: int = 0  # events
    stacks: int = 0
    missed: int = 0  # runs that the kernel skipped, as a program was running there already

    def total(self) -> int:
        return self.ring_full + self.map_full + self.rate_limited + self.stacks + self.missed


@dataclass(frozen=True, slots=True)
class Losses(Lost):
    """Sums, and what they are made of: by probe, as the user wrote it, in the order of the program's text."""

    probes: tuple[tuple[str, Lost], ...] = ()


@dataclass(frozen=True, slots=True)
class ProgramCost:
    """probe: as the user wrote it. hits: runs; ns_per_hit: 0 when not known."""

    probe: str
    hits: int
    ns_per_hit: int


@dataclass(frozen=True, slots=True)
class Cost:
    programs: tuple[ProgramCost, ...] = ()
    cpu_seconds: float = 0.0  # of the agent, user and system
    cpu_percent: float = 0.0  # of one CPU since attach
    probe_cpu_seconds: float = 0.0  # of the programs in the processes that they trace, by samples
    memory_bytes: int = 0  # resident, at its highest
    kernel_bytes: int = 0  # of maps
    neighbour_hits: int = 0  # uprobes hit by processes outside the target, which map the same file
    neighbour_seconds: float = 0.0  # of CPU, that this took them


@dataclass(frozen=True, slots=True)
class Finish:
    """All that is known in the end. maps: the program's own, in the order of the plan. message: why it ended early."""

    reason: End
    exit_code: int
    maps: tuple[tuple[MapSpec, list[RawEntry]], ...]
    losses: Losses
    cost: Cost
    message: str = ""


@dataclass(frozen=True, slots=True)
class AttachReport:
    """probes: (probe as written, places). stages: nanoseconds by stage. warnings: places that were left out."""

    probes: tuple[tuple[str, int], ...]
    stages: dict[str, int] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    @property
    def places(self) -> int:
        return sum(count for _, count in self.probes)


class SessionView(Protocol):
    """What a sink may ask of a running session."""

    @property
    def plan(self) -> Plan: ...

    @property
    def start_boot_ns(self) -> int:
        """CLOCK_BOOTTIME at the start (what `elapsed` counts from)."""

    def read_map(self, name: str) -> list[RawEntry]:
        """Of the program's map, by name without the at sign. KeyError without such a map."""

    def read_stack(self, key: int, depth: int) -> bytes:
        """Addresses of a stack (u64 each, zero filled), by its id and StackType.depth; empty when it wasn't kept."""


class Sink(Protocol):
    """Called from one thread, in the order of the event stream."""

    def started(self, session: SessionView) -> None:
        """The programs are loaded: prepare decoders. Nothing has run yet."""

    def attached(self, report: AttachReport) -> None:
        """Everything fires from now on; begin probes have run, their output comes after this."""

    def event(self, event: EventSpec, record: memoryview) -> None:
        """Of all kinds but map actions and exit. The record is valid only during the call; the id is at 0."""

    def batch(self, event: EventSpec, *, offset: int, stride: int) -> Callable[[memoryview], None] | None:
        """What to do with many records of an event at once: `stride` bytes apart, each `offset` bytes into its stride.

        Asked once, after started(). None: event() for each.
        """

    def print_map(self, event: EventSpec, record: memoryview, entries: list[RawEntry]) -> None:
        """print(@m): the map of `event.map` as it is now."""

    def snapshot(self, maps: tuple[tuple[MapSpec, list[RawEntry]], ...], losses: Losses) -> None:
        """Every `interval` while running."""

    def losses(self, losses: Losses) -> None:
        """Whenever the numbers have grown, at most every second."""

    def has_room(self) -> bool:
        """False: hand over no events now, and call tick() until there is room. They wait in the ring buffer."""

    def tick(self) -> None:
        """After each batch of events: flush what is buffered."""

    def finished(self, finish: Finish) -> None:
        """The last call, after end probes ran; attachments are still being released."""
