"""software and hardware: events that the kernel or the processor counts, sampled every N-th time."""

from __future__ import annotations

from collections.abc import Callable

from tracelang.facts import Facts, Location
from tracelang.plan import ProgramType
from tracelang.providers.base import ContextKind, Malformed, Parsed, Provider
from tracelang.providers.numbers import parse_number
from tracelang.suggest import did_you_mean

# name -> (number in perf_event_open, default period)
SOFTWARE_EVENTS = {
    "cpu-clock": (0, 1_000_000),
    "task-clock": (1, 1_000_000),
    "page-faults": (2, 100),
    "context-switches": (3, 1000),
    "cpu-migrations": (4, 1),
    "minor-faults": (5, 100),
    "major-faults": (6, 1),
    "alignment-faults": (7, 1),
    "emulation-faults": (8, 1),
    "dummy": (9, 1),
    "bpf-output": (10, 1),
}
SOFTWARE_ALIASES = {"cpu": "cpu-clock", "faults": "page-faults", "cs": "context-switches"}
HARDWARE_EVENTS = {
    "cpu-cycles": (0, 1_000_000),
    "instructions": (1, 1_000_000),
    "cache-references": (2, 1_000_000),
    "cache-misses": (3, 1_000_000),
    "branch-instructions": (4, 100_000),
    "branch-misses": (5, 100_000),
    "bus-cycles": (6, 100_000),
    "frontend-stalls": (7, 1_000_000),
    "backend-stalls": (8, 1_000_000),
    "ref-cycles": (9, 1_000_000),
}
HARDWARE_ALIASES = {"cycles": "cpu-cycles", "branches": "branch-instructions"}


def _parser(
    name: str, events: dict[str, tuple[int, int]], aliases: dict[str, str]
) -> Callable[[tuple[str, ...]], Parsed | Malformed]:
    def parse(parts: tuple[str, ...]) -> Parsed | Malformed:
        if len(parts) not in (1, 2) or not parts[0]:
            return Malformed(
                f"{name} probe type requires 1 or 2 arguments, found {len(parts)}", f"write {name}:event:count"
            )
        event = aliases.get(parts[0], parts[0])
        if event not in events:
            return Malformed(f"{parts[0]} is not a {name} probe", did_you_mean(parts[0], [*events, *aliases]))
        number, period = events[event]
        if len(parts) == 2 and parts[1]:
            count = parse_number(parts[1])
            if count is None:
                return Malformed(f"Invalid count for {name} probe: invalid integer: {parts[1]}")
            if count <= 0:
                return Malformed(f"{name} count should be a positive integer")
            period = count
        return Parsed(parts, {"event": number, "period": period})

    return parse


def _locate(parsed: Parsed, facts: Facts, provider: str) -> tuple[Location, ...]:
    return (Location(name=":".join((provider, *parsed.parts)), function=parsed.parts[0]),)


SOFTWARE = Provider(
    name="software",
    aliases=("s",),
    parse=_parser("software", SOFTWARE_EVENTS, SOFTWARE_ALIASES),
    program_type=ProgramType.PERF_EVENT,
    context=ContextKind.PERF_EVENT,
    locate=_locate,
    usage="software:faults:100",
)
HARDWARE = Provider(
    name="hardware",
    aliases=("h",),
    parse=_parser("hardware", HARDWARE_EVENTS, HARDWARE_ALIASES),
    program_type=ProgramType.PERF_EVENT,
    context=ContextKind.PERF_EVENT,
    locate=_locate,
    usage="hardware:cache-misses:1000000",
)
