"""Weight: resident memory of a tracer at work, CPU when nothing happens, size of what is installed."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

from benchmarks.frame import OURS, Answer, Bench, Table, Tracer, tracing
from benchmarks.peers import root_bytes

PROGRAM = "tracepoint:syscalls:sys_enter_acct { @[comm] = count(); }"
_IDLE_SECONDS = 5.0


def answer(bench: Bench) -> Answer:
    resident = bench.least(_resident)
    idle = Bench(bench.tracers, rounds=1).least(_idle)
    table = Table("Weight", ("tracer", "resident after attach", "CPU when nothing happens"))
    for tracer in bench.tracers:
        table.rows.append([tracer.name, f"{resident[tracer.name] / 2**20:.0f} MiB", f"{idle[tracer.name]:.2f} %"])
    sizes = Table(
        "Size on disk",
        ("what", "MB"),
        [[name, f"{size / 1e6:.0f}"] for name, size in _sizes()],
        note="Images as Docker counts them; a smallest Debian with bpftrace is what an image with it is made of.",
    )
    ratios = {}
    if bench.newest:
        ratios["resident memory"] = resident[OURS.name] / resident[bench.newest.name]
    return Answer([table, sizes], ratios)


def _resident(tracer: Tracer) -> float:
    with tracing(tracer, PROGRAM) as running:
        time.sleep(0.2)
        return running.resident_bytes()


def _idle(tracer: Tracer) -> float:
    """Percent of one CPU, by the scheduler's nanoseconds of every thread."""
    with tracing(tracer, PROGRAM) as running:
        time.sleep(1.5)
        before = _scheduled(running.process.pid)
        time.sleep(_IDLE_SECONDS)
        return (_scheduled(running.process.pid) - before) / 1e7 / _IDLE_SECONDS


def _scheduled(pid: int) -> int:
    return sum(int((task / "schedstat").read_text().split()[0]) for task in Path(f"/proc/{pid}/task").iterdir())


def _sizes() -> list[tuple[str, int]]:
    found = []
    for image in ("tracejob/node-agent:dev", "tracejob/operator:dev"):
        try:
            told = subprocess.run(
                ["docker", "image", "inspect", "--format", "{{.Size}}", image],
                check=False,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )
        except OSError:
            continue
        if told.returncode == 0:
            found.append((image, int(told.stdout)))
    for suite in ("trixie", "sid"):
        size = root_bytes(suite)
        if size:
            found.append((f"Debian {suite} with bpftrace", size))
    return found
