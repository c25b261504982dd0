"""Events of the ring buffer as text: each kind of event compiled once, then one call for each record."""

from __future__ import annotations

import errno
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tracejob_agent.output.decode import Buffer, decoder
from tracejob_agent.output.names import Names, error_text, format_time
from tracejob_agent.output.printf import Formatter, compile_format
from tracejob_agent.output.show import Writer
from tracelang.plan import EventKind, EventSpec, Plan

_MAX_CAT_BYTES = 10 << 10
_SYSTEM_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Failure:
    """An action that went wrong: what to tell the user, and what it printed nevertheless."""

    message: str
    output: str = ""


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
    """system(): what the shell command prints; a Failure has that too when the command says that it failed."""
    try:
        done = subprocess.run(
            ["/bin/sh", "-c", command],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_SYSTEM_SECONDS,
            check=False,
        )
    except (OSError, subprocess.SubprocessError) as error:
        return Failure(f"system() failed: {error}")
    if done.returncode > 0:
        return Failure(f"command exited with code {done.returncode}", done.stdout.decode("utf-8", "surrogateescape"))
    return done.stdout.decode("utf-8", "surrogateescape")


def file_reader(plan: Plan) -> Callable[[str], str | Failure]:
    """cat() with the program's own limit."""
    return partial(read_file, limit=int(plan.config.get("max_cat_bytes", _MAX_CAT_BYTES)))


def read_file(path: str, limit: int = _MAX_CAT_BYTES) -> str | Failure:
    """cat(): the beginning of a file."""
    try:
        with Path(path).open("rb") as file:
            return file.read(limit).decode("utf-8", "surrogateescape")
    except OSError as error:
        return Failure(f"failed to open file '{path}' ({error.strerror})")


@dataclass(frozen=True, slots=True)
class Complaint:
    """helper: which said no, "" when none did; code: what it gave. quote: the line of the program, marked."""

    message: str
    quote: str
    helper: str = ""
    code: int = 0

    def text(self) -> str:
        told = f"\nAdditional Info - helper: {self.helper}, retcode: {self.code}" if self.helper else ""
        return f"{self.message}{told}{self.quote}\n"


def complaint(event: EventSpec, record: Buffer, names: Names) -> Complaint:
    """What went wrong while the program ran."""
    code: object = event.options.get("code", 0)
    if event.fields:
        code = decoder(event.fields[0].type, names.layouts)(record, event.fields[0].offset)
    number = code if isinstance(code, int) else 0
    if number == -errno.ERANGE:
        number = -errno.EFAULT  # a kernel read says so of addresses that aren't the kernel's
    quote, helper = str(event.options.get("quote", "")), str(event.options.get("helper", ""))
    return Complaint(event.text or error_text(number), quote, helper, number)


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
