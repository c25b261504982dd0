"""A session's output as the agent's records: what the operator merges and the client prints."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from tracejob_agent.output.decode import Buffer, decoder
from tracejob_agent.output.events import Failure, complaint, event_formatter, file_reader, run_command
from tracejob_agent.output.names import Names
from tracejob_agent.output.record_values import MapRecorder, as_unicode, plain, readable
from tracejob_agent.output.record_writer import RecordWriter
from tracejob_agent.output.show import text_writer
from tracejob_agent.output.sink_base import SinkOptions, names_of, print_arguments
from tracejob_agent.sink import AttachReport, Cost, End, Finish, Losses, Lost, RawEntry, SessionView
from tracejob_api import records
from tracejob_api.maps import MapSnapshot
from tracejob_api.text import render_map
from tracelang.plan import EventKind, EventSpec, MapSpec
from tracelang.types import AggregateType, Aggregation

_MOST_ENTRIES = 20_000
_MOST_HISTOGRAMS = 2_000
_MOST_PROBES = 64
_KINDS = {
    EventKind.ERRORF: "error",
    EventKind.WARNF: "warning",
    EventKind.DEBUGF: "debug",
    EventKind.RUNTIME_ERROR: "warning",
}


@dataclass(frozen=True, slots=True)
class RecordLimits:
    """output_bytes: of all output records together; 0: no limit."""

    output_bytes: int = 0


class RecordSink:
    """Implements `tracejob_agent.sink.Sink`. pod: the only target, so that every event is its own."""

    def __init__(
        self,
        writer: RecordWriter,
        *,
        options: SinkOptions | None = None,
        limits: RecordLimits | None = None,
        pod: str = "",
    ) -> None:
        self.writer = writer
        self.events = 0
        self.attached_at = 0
        self.targets: tuple[records.TargetReport, ...] = ()  # goes into the attached record
        self.last_result: records.Result | None = None
        self._options = options or SinkOptions(text=readable)
        self._limits = limits or RecordLimits()
        self._pod = pod
        self._output_bytes = 0
        self._dropped: Counter[tuple[int, ...]] = Counter()  # by the programs that make such events
        self._probes: tuple[str, ...] = ()  # by program
        self._actions: dict[int, Callable[[Buffer], None]] = {}
        self._maps: dict[str, MapRecorder] = {}
        self._names: Names
        self._read_file: Callable[[str], str | Failure]

    def started(self, session: SessionView) -> None:
        self._names = names_of(session, self._options)
        self._probes = tuple(program.probe_text or program.name for program in session.plan.programs)
        self._maps = {
            spec.user.name: MapRecorder(spec.user, self._names) for spec in session.plan.maps if spec.user is not None
        }
        self._read_file = file_reader(session.plan)
        self._actions = {event.id: self._action(event) for event in session.plan.events}

    def attached(self, report: AttachReport) -> None:
        time_ns, sequence = self.writer.stamp()
        self.attached_at = time_ns
        self.writer.write(
            records.Attached(
                t=time_ns,
                seq=sequence,
                v=records.RECORD_VERSION,
                probes=tuple(records.ProbeCount(probe, count) for probe, count in report.probes),
                stages=report.stages,
                targets=self.targets,
            )
        )
        for warning in report.warnings:
            self._output("warning", f"{warning}\n")
        self.writer.flush()

    def event(self, event: EventSpec, record: Buffer) -> None:
        self._actions[event.id](record)

    def batch(self, event: EventSpec, *, offset: int, stride: int) -> None:
        """Each record is a line of its own."""

    def print_map(self, event: EventSpec, record: Buffer, entries: list[RawEntry]) -> None:
        top, divisor = print_arguments(event)
        snapshot = self._maps[event.map].snapshot(entries, most=top or _MOST_ENTRIES)
        self._output("print", render_map(snapshot, top=top, divisor=divisor or 1), map_=snapshot, event=event)

    def snapshot(self, maps: tuple[tuple[MapSpec, list[RawEntry]], ...], losses: Losses) -> None:
        if not self.writer.has_room():
            return  # the next one holds all that this one would have
        time_ns, sequence = self.writer.stamp()
        snapshots = self._snapshots(maps)
        self.writer.write(
            records.Maps(
                t=time_ns,
                seq=sequence,
                v=records.RECORD_VERSION,
                maps=snapshots,
                events=self.events,
                losses=self._losses(losses, snapshots),
            )
        )
        self.writer.flush()

    def losses(self, losses: Losses) -> None:
        time_ns, sequence = self.writer.stamp()
        self.writer.write(
            records.LossesRecord(t=time_ns, seq=sequence, v=records.RECORD_VERSION, losses=self._losses(losses, ()))
        )

    def has_room(self) -> bool:
        """Always: what the stream doesn't take is dropped here and counted, so that exit() is seen behind it."""
        return True

    def tick(self) -> None:
        self.writer.flush()

    def finished(self, finish: Finish) -> None:
        time_ns, sequence = self.writer.stamp()
        snapshots = self._snapshots(finish.maps)
        self.last_result = records.Result(
            t=time_ns,
            seq=sequence,
            v=records.RECORD_VERSION,
            reason=records.EndReason(_END_REASONS.get(finish.reason, finish.reason.value)),
            maps=snapshots,
            losses=self._losses(finish.losses, snapshots),
            cost=_cost(finish.cost),
            events=self.events,
            exit_code=finish.exit_code,
            attached_at=self.attached_at,
            failure=records.Failure.LIMIT if finish.reason is End.OVER_BUDGET else None,
            message=finish.message,
        )
        self.writer.write(self.last_result)
        self.writer.flush(wait=10.0)

    # --- inside -----------------------------------------------------------------------------------------------

    def _action(self, event: EventSpec) -> Callable[[Buffer], None]:
        names = self._names
        match event.kind:
            case EventKind.PRINT_VALUE:
                field = event.fields[0]
                read, write, value = (
                    decoder(field.type, names.layouts),
                    text_writer(field.type, names),
                    plain(field.type, names),
                )

                def show_value(record: Buffer) -> None:
                    decoded = read(record, field.offset)
                    self._output("print", f"{write(decoded)}\n", values=(value(decoded),), event=event)

                return show_value
            case EventKind.RUNTIME_ERROR:
                return lambda record: self._output("warning", complaint(event, record, names).text(), event=event)
            case EventKind.SYSTEM | EventKind.CAT:
                perform = run_command if event.kind is EventKind.SYSTEM else self._read_file
                argument = event_formatter(event, names)
                return lambda record: self._perform(event, perform(argument(record)))
            case _:
                return self._formatted(event)

    def _formatted(self, event: EventSpec) -> Callable[[Buffer], None]:
        text = event_formatter(event, self._names)
        kind = _KINDS.get(event.kind, event.kind.value)
        values = tuple(
            (decoder(field.type, self._names.layouts), field.offset, plain(field.type, self._names))
            for field in event.fields
        )

        def show(record: Buffer) -> None:
            typed = tuple(make(read(record, offset)) for read, offset, make in values)
            self._output(kind, text(record), values=typed, event=event)

        return show

    def _perform(self, event: EventSpec, result: str | Failure) -> None:
        if isinstance(result, Failure):
            if result.output:
                self._output(event.kind.value, result.output, event=event)
            self._output("error", f"{result.message}\n", event=event)
        else:
            self._output(event.kind.value, result, event=event)

    def _output(
        self,
        kind: str,
        text: str,
        *,
        values: tuple[object, ...] = (),
        map_: MapSnapshot | None = None,
        event: EventSpec | None = None,
    ) -> None:
        limit = self._limits.output_bytes
        if (limit and self._output_bytes >= limit) or not self.writer.has_room():
            self._dropped[event.programs if event is not None else ()] += 1
            return
        time_ns, sequence = self.writer.stamp()
        self.events += 1
        self._output_bytes += self.writer.write(
            records.Output(
                t=time_ns,
                seq=sequence,
                v=records.RECORD_VERSION,
                kind=kind,
                text=as_unicode(text),
                values=values,
                map=map_,
                pod=self._pod,
            )
        )

    def _snapshots(self, maps: tuple[tuple[MapSpec, list[RawEntry]], ...]) -> tuple[MapSnapshot, ...]:
        """Bounded, so that no line is longer than a reader takes."""
        made = []
        for spec, entries in maps:
            if spec.user is not None:
                most = _MOST_HISTOGRAMS if _is_wide(spec) else _MOST_ENTRIES
                made.append(self._maps[spec.user.name].snapshot(entries, most=most // max(1, len(maps))))
        return tuple(made)

    def _losses(self, losses: Losses, snapshots: tuple[MapSnapshot, ...]) -> records.Losses:
        dropped: Counter[str] = Counter()
        for programs, count in self._dropped.items():
            if len(programs) == 1:
                dropped[self._probes[programs[0]]] += count
        by_probe = dict(losses.probes)
        return records.Losses(
            ring_buffer=losses.ring_full,
            map_full=losses.map_full,
            rate_limited=losses.rate_limited,
            truncated=sum(item.omitted for item in snapshots),
            output_dropped=self._dropped.total(),
            stacks=losses.stacks,
            missed=losses.missed,
            probes=tuple(
                _probe_losses(probe, by_probe.get(probe, Lost()), dropped=dropped[probe])
                for probe in dict.fromkeys(self._probes)
                if probe in by_probe or probe in dropped
            )[:_MOST_PROBES],
        )


def _probe_losses(probe: str, lost: Lost, *, dropped: int) -> records.ProbeLosses:
    return records.ProbeLosses(
        probe,
        ring_buffer=lost.ring_full,
        map_full=lost.map_full,
        rate_limited=lost.rate_limited,
        output_dropped=dropped,
        stacks=lost.stacks,
        missed=lost.missed,
    )


_END_REASONS = {End.CHILD: "exit", End.ITERATED: "exit", End.OVER_BUDGET: "failed"}


def _is_wide(spec: MapSpec) -> bool:
    value = spec.user.value if spec.user else None
    return isinstance(value, AggregateType) and value.kind in (
        Aggregation.HIST,
        Aggregation.LHIST,
        Aggregation.TSERIES,
    )


def _cost(cost: Cost) -> records.Cost:
    return records.Cost(
        hits=sum(item.hits for item in cost.programs),
        probes=tuple(records.ProbeCost(item.probe, item.hits, item.ns_per_hit) for item in cost.programs),
        cpu_seconds=round(cost.cpu_seconds, 4),
        cpu_percent=round(cost.cpu_percent, 2),
        probe_cpu_seconds=round(cost.probe_cpu_seconds, 4),
        memory_bytes=cost.memory_bytes,
        kernel_bytes=cost.kernel_bytes,
        neighbour_hits=cost.neighbour_hits,
        neighbour_seconds=round(cost.neighbour_seconds, 4),
    )
