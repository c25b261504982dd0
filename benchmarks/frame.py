"""What all questions share: tracers that are started, known to be attached and ended; traced calls; tables.

Everything that is compared runs in turns in one go, so that what else the machine does hits all alike; the least of the
rounds is told, as other work only ever adds.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).parent
BIN = Path(sys.executable).parent
NOTICE = "__BPFTRACE_NOTIFY_PROBES_ATTACHED"
CALL = "tracepoint:syscalls:sys_enter_getpgid"
GENERATOR_CPU = max(os.sched_getaffinity(0))
_PATIENCE = 120.0


@dataclass(frozen=True, slots=True)
class Tracer:
    """notice: what it says when its probes are on; "": it never does, so it is given a second.

    patience: seconds that it gets to end by itself.
    """

    name: str
    command: tuple[str, ...]
    notice: str = NOTICE
    is_ours: bool = False
    patience: float = _PATIENCE

    def argv(self, program: str) -> list[str]:
        return [*self.command, "-e", program]


OURS = Tracer("tracejob", (str(BIN / "tracejob-bpftrace"),), is_ours=True)


@dataclass(slots=True)
class Running:
    """A tracer at work. out: a file with what it prints, notices too."""

    process: subprocess.Popen[bytes]
    out: Path
    attached_after: float  # seconds from its start

    def text(self) -> str:
        return self.out.read_text(errors="replace")

    def cpu_seconds(self) -> float:
        """User and system time so far, children not counted."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def resident_bytes(self) -> int:
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        return 0

    def stop(self) -> float:
        """Seconds from Ctrl-C until it has ended."""
        start = time.monotonic()
        _end(self.process)
        return time.monotonic() - start


@contextmanager
def tracing(tracer: Tracer, program: str, *, environment: dict[str, str] | None = None) -> Iterator[Running]:
    """The tracer with its probes on; it is gone afterwards."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        out = Path(folder) / "out"
        start = time.monotonic()
        with out.open("wb") as file:
            process = subprocess.Popen(
                tracer.argv(program),
                stdout=file,
                stderr=subprocess.STDOUT,
                env=os.environ | {NOTICE: "1"} | (environment or {}),
            )
        try:
            _wait_attached(process, out, tracer)
            yield Running(process, out, time.monotonic() - start)
        finally:
            _end(process, tracer.patience)


def _end(process: subprocess.Popen[bytes], patience: float = _PATIENCE) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
    try:
        process.wait(patience)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _wait_attached(process: subprocess.Popen[bytes], out: Path, tracer: Tracer) -> None:
    if not tracer.notice:
        time.sleep(1.0)
        return
    deadline = time.monotonic() + _PATIENCE
    while tracer.notice.encode() not in out.read_bytes():
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"{tracer.name} didn't attach:\n{out.read_text(errors='replace')[-2000:]}")
        time.sleep(0.002)


@dataclass(frozen=True, slots=True)
class Calls:
    """What the generator says. least, tenth, median: nanoseconds per call of its chunks."""

    made: int
    seconds: float
    least: float
    tenth: float
    median: float

    @property
    def per_second(self) -> float:
        return self.made / self.seconds


def calls(count: int, *, rate: int = 0, generator: str = "") -> Calls:
    """Makes traced calls; as fast as they go, or so many a second. generator: another one with the same words."""
    rates = [str(rate)] if rate else []
    words = subprocess.run(
        [generator or str(_generator()), str(GENERATOR_CPU), str(count), *rates],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    ).stdout.split()
    return Calls(int(words[0]), *(float(word) for word in words[1:]))


def _generator() -> Path:
    folder = cache_folder() / "benchmarks"
    folder.mkdir(parents=True, exist_ok=True)
    made, source = folder / "tj_bench", HERE / "generator.c"
    if not made.exists() or made.stat().st_mtime < source.stat().st_mtime:
        subprocess.run(["gcc", "-O2", "-o", made, source], check=True)
    return made


def cache_folder() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "tracejob"


@dataclass(slots=True)
class Table:
    """rows: the first cell names the row. note: what a reader has to know, in a sentence or two."""

    title: str
    head: Sequence[str]
    rows: list[list[str]] = field(default_factory=list)
    note: str = ""

    def markdown(self) -> str:
        lines = [f"## {self.title}", "", f"| {' | '.join(self.head)} |", f"|{'---|' * len(self.head)}"]
        lines += [f"| {' | '.join(row)} |" for row in self.rows]
        return "\n".join([*lines, "", *([self.note, ""] if self.note else [])])


@dataclass(frozen=True, slots=True)
class Given:
    """A table that somebody else has made."""

    title: str
    text: str

    def markdown(self) -> str:
        return f"## {self.title}\n\n{self.text}"


@dataclass(slots=True)
class Answer:
    """tables for the page; ratios: what is ours by what is bpftrace's, by what was asked (for the picture)."""

    tables: Sequence[Table | Given]
    ratios: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Bench:
    """What a question is given. tracers: ours first. rounds: of each measurement."""

    tracers: tuple[Tracer, ...]
    rounds: int = 3

    @property
    def peers(self) -> tuple[Tracer, ...]:
        return self.tracers[1:]

    @property
    def newest(self) -> Tracer | None:
        """The bpftrace that ratios are by."""
        return self.tracers[1] if len(self.tracers) > 1 else None

    def least(self, measure: Callable[[Tracer], float], tracers: Sequence[Tracer] | None = None) -> dict[str, float]:
        """The least of the rounds by tracer, taken in turns."""
        found: dict[str, float] = {}
        for _ in range(self.rounds):
            for tracer in tracers or self.tracers:
                value = measure(tracer)
                found[tracer.name] = min(value, found.get(tracer.name, value))
        return found
