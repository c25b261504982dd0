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
from tracejob_agent.bpf.maps import BpfMap, possible_cpus
from tracejob_agent.bpf.syscalls import Buffer, Command, bpf
from tracejob_agent.sink import Cost, Losses, Lost, ProgramCost
from tracelang.plan import BpfMapKind, Counter, MapRole, MapSpec

_INFO_SIZE = 224  # struct bpf_prog_info up to recursion_misses
_RUN_TIME, _RUN_COUNT, _MISSES = 192, 200, 208
_STATS_RUN_TIME = 0
_SAMPLE_SECONDS = 0.05
_SAMPLE_EVERY = 5.0
_HASH_ENTRY_OVERHEAD = 64
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
    """Measures nanoseconds per run in short windows: the kernel's run-time statistics slow every program down.

    Call sample() often; a window is open for 50 ms of every 5 s.
    """

    loaded: LoadedPlan
    _switch: int = -1
    _closes: float = 0.0
    _next: float = field(default_factory=time.monotonic)
    _started: float = field(default_factory=time.monotonic)
    _cpu_before: float = field(default_factory=time.process_time)

    def sample(self, now: float) -> None:
        if self._switch >= 0:
            if now >= self._closes:
                self.stop()
        elif now >= self._next:
            self._next = now + _SAMPLE_EVERY
            self._closes = now + _SAMPLE_SECONDS
            try:
                self._switch = bpf(Command.ENABLE_STATS, struct.pack("<I", _STATS_RUN_TIME))
            except OSError:
                self._next = float("inf")  # before 5.8, or not allowed: no figures then

    def stop(self) -> None:
        if self._switch >= 0:
            os.close(self._switch)
            self._switch = -1

    def losses(self) -> Losses:
        return total_losses(
            [
                (program.spec.probe_text or program.spec.name, _lost(counted, run_statistics(program).misses))
                for program, counted in zip(self.loaded.programs, read_counters(self.loaded), strict=True)
            ]
        )

    def cost(self) -> Cost:
        programs = []
        counts_hits = self.loaded.by_role(MapRole.COUNTERS) is not None
        for program, counted in zip(self.loaded.programs, read_counters(self.loaded), strict=True):
            statistics = run_statistics(program)
            hits = counted[Counter.HITS] if counts_hits else statistics.runs
            average = statistics.nanoseconds // statistics.runs if statistics.runs else 0
            programs.append(ProgramCost(program.spec.probe_text or program.spec.name, hits, average))
        cpu_seconds = time.process_time() - self._cpu_before
        elapsed = max(time.monotonic() - self._started, 1e-3)
        return Cost(
            programs=tuple(programs),
            cpu_seconds=time.process_time() + _cpu_of_children(),
            cpu_percent=100 * cpu_seconds / elapsed,
            memory_bytes=peak_memory(),
            kernel_bytes=sum(kernel_bytes(found.spec) for found in self.loaded.maps.values()),
        )


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


def kernel_bytes(spec: MapSpec) -> int:
    """What a map may take of the kernel's memory when it is full; an estimate from its shape."""
    key, value = (spec.key_size + 7) // 8 * 8, (spec.value_size + 7) // 8 * 8
    match spec.kind:
        case BpfMapKind.RINGBUF:
            return spec.max_entries
        case BpfMapKind.ARRAY | BpfMapKind.CGROUP_ARRAY:
            return value * spec.max_entries
        case BpfMapKind.PERCPU_ARRAY:
            return value * spec.max_entries * possible_cpus()
        case BpfMapKind.PERCPU_HASH | BpfMapKind.LRU_PERCPU_HASH:
            return (key + value * possible_cpus() + _HASH_ENTRY_OVERHEAD) * spec.max_entries
        case BpfMapKind.HASH | BpfMapKind.LRU_HASH | BpfMapKind.STACK_TRACE:
            return (key + value + _HASH_ENTRY_OVERHEAD) * spec.max_entries
    raise TypeError(spec.kind)


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
