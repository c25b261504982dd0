"""What was lost and what tracing cost: counters of the programs and of the kernel in, Losses and Cost out."""

from __future__ import annotations

import os
import resource
import struct
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path

from tracejob_agent.bpf.loader import LoadedPlan, LoadedProgram
from tracejob_agent.bpf.maps import BpfMap
from tracejob_agent.bpf.pricing import kernel_bytes
from tracejob_agent.bpf.syscalls import Buffer, Command, bpf
from tracejob_agent.budget import Spent
from tracejob_agent.sink import Cost, Losses, Lost, ProgramCost
from tracelang.plan import Counter, MapRole

_INFO_SIZE = 224  # struct bpf_prog_info up to recursion_misses
_RUN_TIME, _RUN_COUNT, _MISSES = 192, 200, 208
_STATS_RUN_TIME = 0
_SAMPLE_SECONDS = 0.05
SAMPLE_EVERY = 5.0
_NUMBERS = struct.Struct(f"<{len(Counter)}Q")
_LOST = tuple(item.name for item in fields(Lost))


@dataclass(frozen=True, slots=True)
class RunStatistics:
    """Of one program. nanoseconds and runs only count while statistics are switched on."""

    nanoseconds: int
    runs: int
    misses: int


def run_statistics(program: LoadedProgram) -> RunStatistics:
    info = Buffer(_INFO_SIZE)
    bpf(Command.OBJ_GET_INFO_BY_FD, struct.pack("<IIQ", program.descriptor, info.size, info.address))
    data = info.bytes()
    return RunStatistics(*(struct.unpack_from("<Q", data, offset)[0] for offset in (_RUN_TIME, _RUN_COUNT, _MISSES)))


@dataclass(slots=True)
class CostSampler:
    """Measures what programs take in short windows: the kernel's run-time statistics slow every program down.

    Call sample() often; a window is open for 50 ms of every `every` seconds, the first at once.
    """

    loaded: LoadedPlan
    every: float = SAMPLE_EVERY
    _switch: int = -1
    _opened: float = 0.0
    _nanoseconds: int = 0  # of all programs, when the window was opened
    _share: float = 0.0  # of one CPU, in the last window
    _share_since: float = field(default_factory=time.monotonic)
    _seconds: float = 0.0  # of programs, up to then
    _next: float = field(default_factory=time.monotonic)
    _started: float = field(default_factory=time.monotonic)
    _cpu_before: float = field(default_factory=time.process_time)

    def sample(self, now: float) -> None:
        if self._switch >= 0:
            if now >= self._opened + _SAMPLE_SECONDS:
                self._close_window(now)
        elif now >= self._next:
            self._next = now + self.every
            try:
                self._switch = bpf(Command.ENABLE_STATS, struct.pack("<I", _STATS_RUN_TIME))
            except OSError:
                self._next = float("inf")  # before 5.8, or not allowed: no figures then
                return
            self._nanoseconds, self._opened = self._run_time(), now

    def _close_window(self, now: float) -> None:
        share = (self._run_time() - self._nanoseconds) / 1e9 / (now - self._opened)
        # What the window showed stands for the time since the last one.
        self._seconds += share * (now - self._share_since)
        self._share, self._share_since = share, now
        self.stop()

    def _run_time(self) -> int:
        return sum(run_statistics(program).nanoseconds for program in self.loaded.programs)

    def stop(self) -> None:
        if self._switch >= 0:
            os.close(self._switch)
            self._switch = -1

    def spent(self) -> Spent:
        """CPU seconds so far: of this process, and of the programs in the processes that they trace."""
        now = time.monotonic()
        return Spent(
            agent=time.process_time(), programs=self._seconds + self._share * max(0.0, now - self._share_since)
        )

    def losses(self) -> Losses:
        return total_losses(
            [
                (program.spec.probe_text or program.spec.name, _lost(counted, run_statistics(program).misses))
                for program, counted in zip(self.loaded.programs, read_counters(self.loaded), strict=True)
            ]
        )

    def _programs(self, counters: Sequence[Sequence[int]]) -> tuple[ProgramCost, ...]:
        programs = []
        counts_hits = self.loaded.by_role(MapRole.COUNTERS) is not None
        for program, counted in zip(self.loaded.programs, counters, strict=True):
            statistics = run_statistics(program)
            hits = counted[Counter.HITS] if counts_hits else statistics.runs
            average = statistics.nanoseconds // statistics.runs if statistics.runs else 0
            programs.append(ProgramCost(program.spec.probe_text or program.spec.name, hits, average))
        return tuple(programs)

    def cost(self) -> Cost:
        counters = read_counters(self.loaded)
        outside = sum(counted[Counter.OUTSIDE] for counted in counters)  # hits of user functions, out of scope
        cpu_seconds = time.process_time() - self._cpu_before
        elapsed = max(time.monotonic() - self._started, 1e-3)
        return Cost(
            programs=self._programs(counters),
            cpu_seconds=time.process_time() + _cpu_of_children(),
            cpu_percent=100 * cpu_seconds / elapsed,
            probe_cpu_seconds=self.spent().programs,
            memory_bytes=peak_memory(),
            kernel_bytes=sum(kernel_bytes(found.spec) for found in self.loaded.maps.values()),
            neighbour_hits=outside,
            neighbour_seconds=outside * _trap_seconds() if outside else 0.0,
        )


def _trap_seconds() -> float:
    """Of one hit of a user function; measured, as machines differ by a factor of ten."""
    from tracejob_agent.probes.trap_cost import user_function_nanoseconds

    return user_function_nanoseconds() / 1e9


def total_losses(probes: Sequence[tuple[str, Lost]]) -> Losses:
    """The sums; programs of one probe (several places of its text, or kinds) make one line."""
    sums: dict[str, list[int]] = {}
    for probe, lost in probes:
        numbers = sums.setdefault(probe, [0] * len(_LOST))
        for index, name in enumerate(_LOST):
            numbers[index] += getattr(lost, name)
    total = [sum(column) for column in zip(*sums.values(), strict=True)] if sums else [0] * len(_LOST)
    by_probe = tuple((probe, Lost(*numbers)) for probe, numbers in sums.items() if any(numbers))
    return Losses(**dict(zip(_LOST, total, strict=True)), probes=by_probe)


def read_counters(loaded: LoadedPlan) -> list[list[int]]:
    """What the programs counted, by Counter, summed over the CPUs; zeros without such a map."""
    counters = loaded.by_role(MapRole.COUNTERS)
    if counters is None:
        return [[0] * len(Counter) for _ in loaded.programs]
    return [_entry(counters, index) for index in range(len(loaded.programs))]


def _entry(counters: BpfMap, index: int) -> list[int]:
    by_cpu = [_NUMBERS.unpack_from(value) for value in counters.lookup(struct.pack("<I", index)) or ()]
    return [sum(column) for column in zip(*by_cpu, strict=True)]


def _lost(counted: Sequence[int], missed: int) -> Lost:
    return Lost(
        ring_full=counted[Counter.RING_FULL],
        map_full=counted[Counter.MAP_FULL],
        rate_limited=counted[Counter.RATE_LIMITED],
        stacks=counted[Counter.STACK_LOST],
        missed=missed,
    )


def _cpu_of_children() -> float:
    """Of the compiler."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def peak_memory() -> int:
    """This process's resident bytes at their highest. Not getrusage's figure, which a parent hands on over exec."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
