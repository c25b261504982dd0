"""printf: how many events a second arrive with none lost, what is lost when there are too many, and what each costs."""

from __future__ import annotations

import time
from dataclasses import dataclass

from benchmarks.frame import CALL, OURS, Answer, Bench, Table, Tracer, calls, tracing

PROGRAM = f'{CALL} /comm == "tj_bench"/ {{ printf("%d %s\\n", pid, comm); }}'
RATES = (50_000, 100_000, 200_000, 300_000, 450_000, 600_000, 900_000, 1_300_000, 1_800_000, 0)
"""0: as fast as the generator goes."""

BUFFER = {"BPFTRACE_PERF_RB_PAGES": "2048"}
"""8 MiB for all, which is our default."""

_SECONDS = 3.0
"""Of a run: a buffer of 8 MiB hides for most of a second that a reader is too slow."""
_SATURATION = 1_000_000
_QUIET = 0.3
_KEPT_UP = 0.7
_LINE = b" tj_bench\n"


@dataclass(frozen=True, slots=True)
class Delivery:
    made: int
    seconds: float
    arrived: int
    cpu_seconds: float  # of the tracer

    @property
    def per_second(self) -> float:
        return self.arrived / self.seconds


def answer(bench: Bench) -> Answer:
    table = Table(
        "printf: events a second",
        ("tracer", "events/s with none lost", "lost at saturation", "events/s there", "CPU per event that arrived"),
        note=f"`{PROGRAM}`, a buffer of 8 MiB for each. Rates are tried from the lowest on, {bench.rounds} times "
        "each, for three seconds; the highest one at which a run lost nothing is told, as it came about. "
        "Saturation: the generator makes "
        f"{_SATURATION} calls as fast as they go.",
    )
    best: dict[str, float] = {}
    for tracer in bench.tracers:
        best[tracer.name] = _without_loss(tracer, bench.rounds)
        flood = min(
            (_deliver(tracer, _SATURATION) for _ in range(bench.rounds)), key=lambda item: item.made - item.arrived
        )
        table.rows.append(
            [
                tracer.name,
                f"{best[tracer.name] / 1e6:.2f} M",
                f"{100 * (flood.made - flood.arrived) / flood.made:.1f} %",
                f"{flood.per_second / 1e6:.2f} M",
                f"{flood.cpu_seconds / max(flood.arrived, 1) * 1e6:.2f} µs",
            ]
        )
    ratios = {}
    if bench.peers and best[OURS.name]:
        ratios["events/s with none lost (inverse, by the best)"] = (
            max(best[peer.name] for peer in bench.peers) / best[OURS.name]
        )
    return Answer([table], ratios)


def _without_loss(tracer: Tracer, rounds: int) -> float:
    """Given up two rates above the last one that went well, or where the calls themselves get too slow for the rate."""
    best, failures = 0.0, 0
    for rate in RATES:
        count = int((rate or 2_000_000) * _SECONDS)
        for _ in range(rounds):
            run = _deliver(tracer, count, rate=rate)
            if run.arrived == run.made:
                best, failures = max(best, run.per_second), 0
                break
            if run.made / run.seconds < _KEPT_UP * rate:
                break
        else:
            failures += 1
        if failures == 2 or run.made / run.seconds < _KEPT_UP * rate:
            break
    return best


def _deliver(tracer: Tracer, count: int, *, rate: int = 0) -> Delivery:
    with tracing(tracer, PROGRAM, environment=BUFFER) as running:
        before = running.cpu_seconds()
        made = calls(count, rate=rate)
        time.sleep(_QUIET)
        spent = running.cpu_seconds() - before
        running.stop()
        return Delivery(made.made, made.seconds, running.out.read_bytes().count(_LINE), spent)
