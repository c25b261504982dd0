"""A session's output as JSON lines, as `bpftrace -f json` writes them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TextIO

from tracejob_agent.notices import NOTIFICATION
from tracejob_agent.output.decode import Buffer
from tracejob_agent.output.events import (
    Complaint,
    Failure,
    complaint,
    event_formatter,
    file_reader,
    run_command,
    value_formatter,
)
from tracejob_agent.output.map_format import MapFormat
from tracejob_agent.output.names import Names, error_text
from tracejob_agent.output.queued_text import Out, drain, has_room
from tracejob_agent.output.show import json_text, json_writer
from tracejob_agent.output.sink_base import SinkOptions, map_formats, names_of, print_arguments
from tracejob_agent.sink import AttachReport, Finish, Losses, RawEntry, SessionView
from tracelang.plan import EventKind, EventSpec, MapSpec

Action = Callable[[Buffer], None]

_TYPES = {EventKind.PRINTF: "printf", EventKind.TIME: "time", EventKind.STRFTIME: "strftime"}


class JsonSink:
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
            self._notices.write(f"WARNING: {warning}\n")
        if not self._options.quiet:
            count = report.places
            self._line(f'{{"type": "attached_probes", "count": {count}, "data": {{"probes": {count}}}}}')
        if self._options.notify:
            self._line(NOTIFICATION)
        self._out.flush()

    def event(self, event: EventSpec, record: Buffer) -> None:
        self._actions[event.id](record)

    def batch(self, event: EventSpec, *, offset: int, stride: int) -> None:
        """Each record is a line of its own."""

    def print_map(self, event: EventSpec, record: Buffer, entries: list[RawEntry]) -> None:
        top, divisor = print_arguments(event)
        self._line(self._maps[event.map].json(entries, top=top, divisor=divisor, unset=True))

    def snapshot(self, maps: tuple[tuple[MapSpec, list[RawEntry]], ...], losses: Losses) -> None:
        """Maps come when the program prints them, and in the end."""

    def losses(self, losses: Losses) -> None:
        lost = losses.ring_full + losses.rate_limited
        if lost > self._lost:
            self._line(f'{{"type": "lost_events", "data": {{"events": {lost - self._lost}}}}}')
            self._lost = lost

    def has_room(self) -> bool:
        return has_room(self._out)

    def tick(self) -> None:
        if self._options.flush:
            self._out.flush()

    def finished(self, finish: Finish) -> None:
        if self._print_maps:
            for spec, entries in sorted(finish.maps, key=lambda item: item[0].user.name if item[0].user else ""):
                if spec.user is not None:
                    self._line(self._maps[spec.user.name].json(entries))
        self.losses(finish.losses)
        drain(self._out)

    # --- inside -----------------------------------------------------------------------------------------------

    def _action(self, event: EventSpec) -> Action:
        names = self._names
        match event.kind:
            case EventKind.JOIN:
                words = event_formatter(event, names)
                return lambda record: self._data("join", json_text(words(record).removesuffix("\n")))
            case EventKind.PRINTF | EventKind.TIME | EventKind.STRFTIME:
                text, kind = event_formatter(event, names), _TYPES[event.kind]
                return lambda record: self._data(kind, json_text(text(record)))
            case EventKind.PRINT_VALUE:
                value = value_formatter(event, json_writer(event.fields[0].type, names), names)
                return lambda record: self._data("value", value(record))
            case EventKind.ERRORF | EventKind.WARNF | EventKind.DEBUGF:
                return self._message(event)
            case EventKind.SYSTEM:
                command = event_formatter(event, names)
                return lambda record: self._show("syscall", run_command, command(record))
            case EventKind.CAT:
                path = event_formatter(event, names)
                return lambda record: self._show("cat", self._read_file, path(record))
            case EventKind.RUNTIME_ERROR:
                return lambda record: self._complain(event, complaint(event, record, names))
        return lambda record: None

    def _message(self, event: EventSpec) -> Action:
        text, kind = event_formatter(event, self._names), event.kind.value
        if event.kind is EventKind.WARNF and not self._options.warnings:
            return lambda record: None
        if event.kind is EventKind.DEBUGF:  # not part of the stream
            return lambda record: (self._notices.write(f"DEBUG: {text(record)}\n"), None)[1]

        def show(record: Buffer) -> None:
            self.errors += event.kind is EventKind.ERRORF
            self._located(kind, event, text(record))

        return show

    def _complain(self, event: EventSpec, told: Complaint) -> None:
        if not told.helper:
            self._located("runtime_error", event, told.message)
            return
        message, where = json_text(error_text(told.code)), json_text(self._options.program)
        self._line(
            f'{{"type": "helper_error", "msg": {message}, "helper": "{told.helper}", "retcode": {told.code}, '
            f'"filename": {where}, "line": {event.line}, "col": {event.column}}}'
        )

    def _located(self, kind: str, event: EventSpec, message: str) -> None:
        self._line(
            f'{{"type": "{kind}", "msg": {json_text(message)}, "filename": {json_text(self._options.program)}, '
            f'"line": {event.line}, "col": {event.column}}}'
        )

    def _show(self, kind: str, perform: Callable[[str], str | Failure], argument: str) -> None:
        if self._options.cancelled():
            return
        result = perform(argument)
        if isinstance(result, Failure):
            if result.output:
                self._data(kind, json_text(result.output))
            self._notices.write(f"ERROR: {result.message}\n")
        else:
            self._data(kind, json_text(result))

    def _data(self, kind: str, data: str) -> None:
        self._out.write(f'{{"type": "{kind}", "data": {data}}}\n')

    def _line(self, text: str) -> None:
        if text:
            self._out.write(f"{text}\n")
