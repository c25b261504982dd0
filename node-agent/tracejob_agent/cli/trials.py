"""--bench and --test: bench: and test: probes run here and now, one at each turn of the session's loop.

Between two turns the session hands out what a probe printed, so that output stands where it belongs.
"""

from __future__ import annotations

import os
import re
import struct
import time
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from tracejob_agent.accounting import run_statistics
from tracejob_agent.bpf.loader import LoadedPlan, LoadedProgram
from tracejob_agent.bpf.objects import test_run
from tracejob_agent.bpf.syscalls import Command, bpf
from tracejob_agent.output.queued_text import Out
from tracejob_agent.output.show import json_text

_BENCH_NANOSECONDS = 200_000_000
_BENCH_CHUNK = 1000
_GREEN, _RED, _PLAIN = "\x1b[32m", "\x1b[31m", "\x1b[0m"


class Trial(Enum):
    BENCH = "bench"
    TEST = "test"


class ErrorCount(Protocol):
    """How many errors the program has reported so far."""

    @property
    def errors(self) -> int: ...


@dataclass(frozen=True, slots=True)
class BenchResult:
    name: str
    nanoseconds: int
    iterations: int


class Trials:
    """All trials of one kind in a program, in the order of its text. `failed` counts tests."""

    def __init__(self, kind: Trial, *, name_filter: str, out: Out, json: bool = False) -> None:
        self._kind = kind
        self._filter = re.compile(name_filter) if name_filter else None
        self._out = out
        self._json = json
        self._waiting: list[LoadedProgram] = []
        self._results: list[BenchResult] = []
        self._passed: list[str] = []
        self._failed: list[str] = []
        self._running: tuple[str, int, int, int] | None = None  # name, started, returned, errors before

    @property
    def failed(self) -> int:
        return len(self._failed)

    def prepare(self, loaded: LoadedPlan) -> None:
        chosen = [item for item in loaded.programs if self._name_of(item) is not None]
        self._waiting = sorted(chosen, key=lambda item: item.spec.probe_index)
        if self._kind is Trial.TEST:
            self._out.write(f"{_GREEN}[==========]{_PLAIN} Running {len(chosen)} tests.\n")

    def step(self, sink: ErrorCount) -> bool:
        """Run the next; False when all have run and were reported."""
        if self._running is not None:
            self._judge(*self._running, errors=sink.errors)
            self._running = None
        if not self._waiting:
            self._report()
            return False
        program = self._waiting.pop(0)
        name = self._name_of(program) or ""
        if self._kind is Trial.BENCH:
            self._results.append(_bench(name, program))
        else:
            self._out.write(f"{_GREEN}[ RUN      ]{_PLAIN} {name}\n")
            started = time.monotonic_ns()
            errors = sink.errors
            self._running = name, started, test_run(program.descriptor, bytes(8)), errors
        return True

    def _name_of(self, program: LoadedProgram) -> str | None:
        for item in program.spec.attachments:
            if item.provider == self._kind.value:
                name = item.location.name.partition(":")[2]
                return name if self._filter is None or self._filter.search(name) else None
        return None

    def _judge(self, name: str, started: int, returned: int, errors_before: int, *, errors: int) -> None:
        microseconds = (time.monotonic_ns() - started) // 1000
        if returned or errors > errors_before:
            self._failed.append(name)
            self._out.write(f"{_RED}[  FAILED  ]{_PLAIN} {name} ({microseconds} μs)\n")
        else:
            self._passed.append(name)
            self._out.write(f"{_GREEN}[       OK ]{_PLAIN} {name} ({microseconds} μs)\n")

    def _report(self) -> None:
        if self._kind is Trial.BENCH:
            self._out.write(_bench_json(self._results) if self._json else _bench_table(self._results))
            return
        self._out.write(f"{_GREEN}[==========]{_PLAIN} {_tests(len(self._passed) + self.failed)} ran.\n")
        self._out.write(f"{_GREEN}[  PASSED  ]{_PLAIN} {_tests(len(self._passed))}.\n")
        if self._failed:
            self._out.write(f"{_RED}[  FAILED  ]{_PLAIN} {_tests(self.failed)}, listed below:\n")
            self._out.write("".join(f"{_RED}[  FAILED  ]{_PLAIN} {name}\n" for name in self._failed))


def _tests(count: int) -> str:
    return f"{count} test{'' if count == 1 else 's'}"


def _bench(name: str, program: LoadedProgram) -> BenchResult:
    """As many runs as fit into a fifth of a second; the kernel itself takes the time of each."""
    statistics = bpf(Command.ENABLE_STATS, struct.pack("<I", 0))
    try:
        before_time, before_runs = _statistics(program)
        end = time.monotonic_ns() + _BENCH_NANOSECONDS
        while time.monotonic_ns() < end:
            for _ in range(_BENCH_CHUNK):
                test_run(program.descriptor, bytes(8))
        spent, runs = _statistics(program)
    finally:
        os.close(statistics)
    iterations = runs - before_runs
    return BenchResult(name, (spent - before_time) // max(iterations, 1), iterations)


def _statistics(program: LoadedProgram) -> tuple[int, int]:
    found = run_statistics(program)
    return found.nanoseconds, found.runs


def _bench_table(results: list[BenchResult]) -> str:
    lines = [f"{'Benchmark':<41}{'Time(ns)':<15}Iterations\n", f"{'-' * 66}\n"]
    lines += [f"{item.name:<41}{item.nanoseconds:<15}{item.iterations}\n" for item in results]
    return "".join(lines)


def _bench_json(results: list[BenchResult]) -> str:
    return "".join(
        f'{{"type": "benchmark_result", "data": {{{json_text(item.name)}: '
        f'{{"average": {item.nanoseconds}, "iters": {item.iterations}}}}}}}\n'
        for item in results
    )
