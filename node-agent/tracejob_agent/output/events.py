"""Events of the ring buffer as text: each kind of event compiled once, then one call for each record."""

from __future__ import annotations

import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from tracejob_agent.output.decode import Buffer, decoder
from tracejob_agent.output.names import Names, error_text, format_time
from tracejob_agent.output.printf import Formatter, compile_format
from tracejob_agent.output.show import Writer
from tracelang.plan import EventKind, EventSpec

_MAX_CAT_BYTES = 10 << 10
_SYSTEM_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Failure:
    """An action that went wrong: what to tell the user."""

    message: str


def event_formatter(event: EventSpec, names: Names) -> Formatter:
    """The text of an event's record: printf's own, the command of system(), the path of cat()."""
    match event.kind:
        case EventKind.TIME:
            return lambda record: format_time(event.text, time.time_ns())
        case EventKind.JOIN:
            return _join(event, names)
        case _:
            return compile_format(event.text, event.fields, names)


def value_formatter(event: EventSpec, write: Writer, names: Names) -> Formatter:
    """print() of a value, by a text or JSON writer for its type."""
    field = event.fields[0]
    read, offset = decoder(field.type, names.layouts), field.offset
    return lambda record: write(read(record, offset))


def run_command(command: str) -> str | Failure:
    """system(): what the shell command prints."""
    try:
        done = subprocess.run(["/bin/sh", "-c", command], stdout=subprocess.PIPE, timeout=_SYSTEM_SECONDS, check=False)
    except (OSError, subprocess.SubprocessError) as error:
        return Failure(f"system() failed: {error}")
    return done.stdout.decode("utf-8", "surrogateescape")


def read_file(path: str, limit: int = _MAX_CAT_BYTES) -> str | Failure:
    """cat(): the beginning of a file."""
    try:
        with Path(path).open("rb") as file:
            return file.read(limit).decode("utf-8", "surrogateescape")
    except OSError as error:
        return Failure(f"failed to open file '{path}' ({error.strerror})")


def runtime_error_text(event: EventSpec, record: Buffer, names: Names) -> str:
    """A helper's complaint (-k): what it was and what it said."""
    code = 0
    if event.fields:
        value = decoder(event.fields[0].type, names.layouts)(record, event.fields[0].offset)
        code = value if isinstance(value, int) else 0
    what = error_text(code) if code else ""
    return f"{event.text}{f': {what} ({code})' if what else ''}"


def _join(event: EventSpec, names: Names) -> Formatter:
    """join(): the strings up to the first empty one."""
    reads = tuple((decoder(field.type, names.layouts), field.offset) for field in event.fields)
    separator = str(event.options.get("separator", " "))

    def write(record: Buffer) -> str:
        words = []
        for read, offset in reads:
            word = read(record, offset)
            if not isinstance(word, bytes) or not word:
                break
            words.append(names.text(word))
        return f"{separator.join(words)}\n"

    return write
