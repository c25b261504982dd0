"""Many probes, and the end: attaching by wildcard, the result after Ctrl-C, and everything off again."""

from __future__ import annotations

import time
from pathlib import Path

from benchmarks.frame import OURS, Answer, Bench, Running, Table, Tracer, tracing

MANY = {"BPFTRACE_MAX_PROBES": "5000", "BPFTRACE_MAX_BPF_PROGS": "5000"}
ONE = "tracepoint:syscalls:sys_enter_acct { @ = count(); } interval:s:100 { }"
_EVENTS = Path("/sys/kernel/tracing/events")
_RESULT = "@"


def wildcard(count: int) -> str:
    """A program at `count` tracepoints, by as few wildcards as it takes."""
    names: list[str] = []
    total = 0
    for pattern in ("syscalls:sys_enter_*", "syscalls:sys_exit_*"):
        system, _, name = pattern.partition(":")
        total += len(list((_EVENTS / system).glob(name)))
        names.append(pattern)
        if total >= count:
            break
    for group in sorted(_EVENTS.iterdir()):
        if total >= count:
            break
        # Those that fire all the time would measure the machine.
        if group.is_dir() and group.name not in ("syscalls", "raw_syscalls", "ftrace", "bpf_trace", "error_report"):
            events = [event for event in group.iterdir() if (event / "id").exists()]
            if events and total + len(events) <= count + 20:
                total += len(events)
                names.append(f"{group.name}:*")
    return f"{', '.join(f'tracepoint:{name}' for name in names)} {{ @ = count(); }}"


def answer(bench: Bench) -> Answer:
    new = [tracer for tracer in bench.tracers[:2] if tracer.notice]  # ours, and the newest bpftrace
    once = Bench(bench.tracers, rounds=1)
    table = Table(
        "Many probes, and the end",
        ("what", *(tracer.name for tracer in new)),
        note="Seconds. The result counts from Ctrl-C until the map is printed; ended: until the process is gone; off: "
        "until the kernel has taken all tracepoints down, which it does one after the other, in a process of its own "
        "when tracejob has many. One round for many probes: bpftrace takes minutes.",
    )
    ratios = {}
    one = bench.least(lambda tracer: _end(tracer, ONE)[1], new)
    table.rows.append(["one tracepoint: ended", *(f"{one[tracer.name]:.2f}" for tracer in new)])
    for count in (300, 1000):
        ends: dict[str, tuple[float, float, float, float]] = {}
        program = wildcard(count)

        def attach(
            tracer: Tracer, program: str = program, ends: dict[str, tuple[float, float, float, float]] = ends
        ) -> float:
            ends[tracer.name] = _end(tracer, program)
            return ends[tracer.name][3]

        once.least(attach, new)
        for index, what in ((3, "attached"), (0, "result"), (1, "ended"), (2, "off")):
            table.rows.append([f"{count} tracepoints: {what}", *(f"{ends[tracer.name][index]:.2f}" for tracer in new)])
        if bench.newest:
            for index, what in ((3, "attached"), (2, "off")):
                ratios[f"{count} tracepoints {what}"] = ends[OURS.name][index] / ends[bench.newest.name][index]
    return Answer([table], ratios)


def _end(tracer: Tracer, program: str) -> tuple[float, float, float, float]:
    """Seconds from Ctrl-C until the result, the end and nothing left; and from the start until attached."""
    with tracing(tracer, program, environment=MANY) as running:
        time.sleep(0.3)
        others = _holders()
        start = time.monotonic()
        running.process.send_signal(2)
        result = _wait_for_result(running, start)
        running.process.wait()
        ended = time.monotonic() - start
        mine = {pid for pid in _holders() if pid not in others}
        while any(Path(f"/proc/{pid}").exists() for pid in mine):
            time.sleep(0.01)
        return result, ended, time.monotonic() - start, running.attached_after


def _wait_for_result(running: Running, start: float) -> float:
    while f"\n{_RESULT}" not in running.text() and running.process.poll() is None:
        time.sleep(0.002)
    return time.monotonic() - start


def _holders() -> set[int]:
    """Processes that hold perf events."""
    found = set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if any("perf" in str(link.readlink()) for link in (entry / "fd").iterdir()):
                    found.add(int(entry.name))
            except OSError:
                continue
    return found
