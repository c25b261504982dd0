"""A sink that keeps what a session told it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from tracejob_agent.sink import AttachReport, Finish, Losses, RawEntry, SessionView
from tracelang.plan import EventSpec, MapSpec


@dataclass
class Recorder:
    """calls: names of the calls in order (ticks left out); events: (event's id, record)."""

    calls: list[str] = field(default_factory=list)
    events: list[tuple[int, bytes]] = field(default_factory=list)
    printed: list[list[RawEntry]] = field(default_factory=list)
    reports: list[AttachReport] = field(default_factory=list)
    finish: Finish | None = None
    takes_batches: bool = False
    batches: list[int] = field(default_factory=list)

    def started(self, session: SessionView) -> None:
        self.calls.append("started")

    def attached(self, report: AttachReport) -> None:
        self.calls.append("attached")
        self.reports.append(report)

    def event(self, event: EventSpec, record: memoryview) -> None:
        self.calls.append("event")
        self.events.append((event.id, bytes(record)))

    def batch(self, event: EventSpec, *, offset: int, stride: int) -> Callable[[memoryview], None] | None:
        if not self.takes_batches:
            return None

        def take(records: memoryview) -> None:
            self.batches.append(len(records) // stride)
            for start in range(0, len(records), stride):
                self.events.append((event.id, bytes(records[start + offset : start + stride])))

        return take

    def print_map(self, event: EventSpec, record: memoryview, entries: list[RawEntry]) -> None:
        self.calls.append("print_map")
        self.printed.append(entries)

    def snapshot(self, maps: tuple[tuple[MapSpec, list[RawEntry]], ...], losses: Losses) -> None:
        self.calls.append("snapshot")

    def losses(self, losses: Losses) -> None:
        self.calls.append("losses")

    def has_room(self) -> bool:
        return True

    def tick(self) -> None:
        pass

    def finished(self, finish: Finish) -> None:
        self.calls.append("finished")
        self.finish = finish
