"""A session's output as bpftrace's text: results on stdout, notices on stderr."""

from __future__ import annotations

from collections.abc import Callable
from typing import TextIO

from tracejob_agent.notices import NOTIFICATION, attached_notice
from tracejob_agent.output.decode import Buffer
from tracejob_agent.output.events import (
    Failure,
    complaint,
    event_formatter,
    file_reader,
    run_command,
    value_formatter,
)
from tracejob_agent.output.map_format import MapFormat
from tracejob_agent.output.names import Names
from tracejob_agent.output.printf_batch import compile_batch
from tracejob_agent.output.queued_text import Out, drain, has_room
from tracejob_agent.output.show import text_writer
from tracejob_agent.output.sink_base import SinkOptions, map_formats, names_of, print_arguments
from tracejob_agent.sink import AttachReport, Finish, Losses, RawEntry, SessionView
from tracelang.plan import EventKind, EventSpec, MapSpec

Action = Callable[[Buffer], None]


class TextSink:
    """Implements `tracejob_agent.sink.Sink`."""

    def __init__(self, out: Out, notices: TextIO, options: SinkOptions | None = None) -> None:
        self._out = out
        self._notices = notices
        self._options = options or SinkOptions()
        self._actions: dict[int, Action] = {}
        self._maps: dict[str, MapFormat] = {}
        self._print_maps = True
        self._lost = 0
        self.errors = 0  # errorf() calls
        self._names: Names
        self._read_file: Callable[[str], str | Failure]

    def started(self, session: SessionView) -> None:
        self._names = names_of(session, self._options)
        self._maps = map_formats(session.plan, self._names)
        self._read_file = file_reader(session.plan)
        self._actions = {event.id: self._action(event) for event in session.plan.events}
        self._print_maps = self._options.print_maps and bool(session.plan.config.get("print_maps_on_exit", True))

    def attached(self, report: AttachReport) -> None:
        for warning in report.warnings:
            self._notice(f"WARNING: {warning}")
        if not self._options.quiet:
            self._notice(attached_notice(report.places))
        if self._options.notify:
            self._out.write(f"{NOTIFICATION}\n")
            self._out.flush()

    def event(self, event: EventSpec, record: Buffer) -> None:
        self._actions[event.id](record)

    def batch(self, event: EventSpec, *, offset: int, stride: int) -> Action | None:
        if event.kind is not EventKind.PRINTF:
            return None
        text = compile_batch(event.text, event.fields, self._names, offset=offset, stride=stride)
        if text is None:
            return None
        write = self._out.write
        return lambda records: (write(text(records)), None)[1]

    def print_map(self, event: EventSpec, record: Buffer, entries: list[RawEntry]) -> None:
        top, divisor = print_arguments(event)
        self._out.write(self._maps[event.map].text(entries, top=top, divisor=divisor, unset=True))

    def snapshot(self, maps: tuple[tuple[MapSpec, list[RawEntry]], ...], losses: Losses) -> None:
        """Text shows maps when the program prints them, and in the end."""

    def losses(self, losses: Losses) -> None:
        lost = losses.ring_full + losses.rate_limited
        if lost > self._lost:
            self._notice(f"WARNING: Lost {lost - self._lost} events")
            self._lost = lost

    def has_room(self) -> bool:
        return has_room(self._out)

    def tick(self) -> None:
        if self._options.flush:
            self._out.flush()

    def finished(self, finish: Finish) -> None:
        self._out.write("\n\n")
        if self._print_maps:
            for spec, entries in sorted(finish.maps, key=lambda item: item[0].user.name if item[0].user else ""):
                if spec.user is not None:
                    self._out.write(self._maps[spec.user.name].text(entries))
        self.losses(finish.losses)
        if finish.losses.map_full:
            self._notice(_full_maps(finish))
        if finish.losses.stacks:
            self._notice(f"WARNING: {finish.losses.stacks} stacks were dropped: their map was full")
        if finish.losses.missed:
            self._notice(f"WARNING: {finish.losses.missed} runs were skipped: another program was running there")
        drain(self._out)

    # --- inside -----------------------------------------------------------------------------------------------

    def _action(self, event: EventSpec) -> Action:
        names = self._names
        match event.kind:
            case EventKind.PRINTF | EventKind.TIME | EventKind.JOIN | EventKind.STRFTIME:
                write, text = self._out.write, event_formatter(event, names)
                return lambda record: (write(text(record)), None)[1]
            case EventKind.PRINT_VALUE:
                value = value_formatter(event, text_writer(event.fields[0].type, names), names)
                return lambda record: (self._out.write(f"{value(record)}\n"), None)[1]
            case EventKind.ERRORF | EventKind.WARNF | EventKind.DEBUGF:
                return self._message(event)
            case EventKind.SYSTEM | EventKind.CAT:
                perform = run_command if event.kind is EventKind.SYSTEM else self._read_file
                argument = event_formatter(event, names)
                return lambda record: self._show(event, perform, argument(record))
            case EventKind.RUNTIME_ERROR:
                return lambda record: self._notice(
                    f"{self._place(event)}: WARNING: {complaint(event, record, names).text()}".rstrip("\n")
                    + self._calls(event, "WARNING")
                )
        return lambda record: None

    def _message(self, event: EventSpec) -> Action:
        text = event_formatter(event, self._names)
        level = {EventKind.ERRORF: "ERROR", EventKind.WARNF: "WARNING"}.get(event.kind, "DEBUG")
        if level == "WARNING" and not self._options.warnings:
            return lambda record: None
        place, calls = self._place(event), self._calls(event, level)

        def show(record: Buffer) -> None:
            self.errors += level == "ERROR"
            self._notice(f"{place}: {level}: {text(record).rstrip(chr(10))}{calls}")

        return show

    def _place(self, event: EventSpec) -> str:
        return f"{self._options.program}:{event.options.get('place', f'{event.line}:{event.column}')}"

    def _calls(self, event: EventSpec, level: str) -> str:
        """Where the macros are called that the event is in: a headline and the quoted line for each."""
        text = ""
        for call in str(event.options.get("expanded", "")).split("\f"):
            where, line, quoted = call.partition("\n")
            if where:
                text += f"\n{self._options.program}:{where}: {level}: expanded from{line}{quoted}"
        return text

    def _show(self, event: EventSpec, perform: Callable[[str], str | Failure], argument: str) -> None:
        if self._options.cancelled():
            return
        result = perform(argument)
        if isinstance(result, Failure):
            self._out.write(result.output)
            self._notice(f"ERROR: {result.message}")
            return
        self._out.write(result)
        if event.kind is EventKind.SYSTEM:
            self._out.write("\n")

    def _notice(self, text: str) -> None:
        drain(self._out)
        self._notices.write(f"{text}\n")
        self._notices.flush()


def _full_maps(finish: Finish) -> str:
    """How much is missing in the end, and where, as far as the end shows it."""
    names = [
        f"@{spec.user.name}"
        for spec, entries in finish.maps
        if spec.user is not None and spec.user.key is not None and len(entries) >= spec.max_entries
    ]
    updates = f"{finish.losses.map_full} map update{'s were' if finish.losses.map_full > 1 else ' was'}"
    where = f": {', '.join(names)}" if names else ""
    return f"WARNING: {updates} dropped, as a map was full{where}"
