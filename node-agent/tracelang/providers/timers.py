"""interval and profile: a clock; on one CPU (interval) or on each (profile)."""

from __future__ import annotations

import re

from tracelang.facts import Facts, Location
from tracelang.plan import ProgramType
from tracelang.providers.base import ContextKind, Malformed, Parsed, Provider
from tracelang.providers.numbers import parse_number

UNITS = {"ns": 1, "us": 1_000, "ms": 1_000_000, "s": 1_000_000_000}
DURATIONS = {**UNITS, "m": 60_000_000_000, "h": 3_600_000_000_000, "d": 86_400_000_000_000}
_DURATION = re.compile(r"([0-9][0-9_eE]*)(ns|us|ms|s|m|h|d)")


def parse_duration(text: str) -> int | None:
    """ "10ms", "1s" or a number of nanoseconds; None: neither."""
    number = parse_number(text)
    if number is not None:
        return number
    match = _DURATION.fullmatch(text)
    amount = parse_number(match[1]) if match else None
    return amount * DURATIONS[match[2]] if match and amount is not None else None


def parse_timer(name: str, parts: tuple[str, ...]) -> Parsed | Malformed:
    """`name:count`, `name:unit:count`, `name:hz:rate`: options are nanoseconds ("period") or a rate ("frequency")."""
    match parts:
        case (count,):
            period = parse_duration(count)
            if period is None:
                wrong = f"Invalid rate of {name} probe: invalid integer: {count}"
                return Malformed(wrong, "it is a time like 1s or 100ms")
            if period < UNITS["us"]:
                return Malformed(
                    f"Invalid rate of {name} probe. Minimum is 1000 or 1us. Found: {period} nanoseconds",
                    f"write {name}:hz:{count} for a rate, {name}:s:{count} for seconds" if count.isdigit() else "",
                )
            # Its name is in whole microseconds, as all timers below a second are shown.
            return Parsed(("us", str(period // UNITS["us"])), {"period": period})
        case (unit, count):
            amount = parse_number(count)
            if amount is None:
                trailing = "trailing bytes" if count[:1].isdigit() else "integer"
                return Malformed(f"Invalid rate of {name} probe: invalid {trailing}: {count}")
            number = amount
            if unit != "hz" and unit not in UNITS:
                return Malformed(f"{unit} is not an accepted unit of time", "use hz, s, ms, us or ns")
        case _:
            return Malformed(
                f"{name} probe type requires 1 or 2 arguments, found {len(parts)}", f"write {name}:s:1 or {name}:hz:99"
            )
    if number <= 0:
        return Malformed(f"{name} frequency should be a positive integer")
    named = (unit, str(number))
    if unit == "hz":
        return Parsed(named, {"frequency": number})
    return Parsed(named, {"period": number * UNITS[unit]})


def _locate(parsed: Parsed, facts: Facts, provider: str) -> tuple[Location, ...]:
    return (Location(name=":".join((provider, *parsed.parts))),)


INTERVAL = Provider(
    name="interval",
    aliases=("i",),
    parse=lambda parts: parse_timer("interval", parts),
    program_type=ProgramType.PERF_EVENT,
    task_context=False,
    context=ContextKind.PERF_EVENT,
    may_signal=False,
    locate=_locate,
    usage="interval:s:1",
)
PROFILE = Provider(
    name="profile",
    aliases=("p",),
    parse=lambda parts: parse_timer("profile", parts),
    program_type=ProgramType.PERF_EVENT,
    context=ContextKind.PERF_EVENT,
    locate=_locate,
    usage="profile:hz:99",
)
