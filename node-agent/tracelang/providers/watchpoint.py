"""watchpoint and asyncwatchpoint: the processor's debug registers on an address."""

from __future__ import annotations

from collections.abc import Callable

from tracelang.plan import ProgramType
from tracelang.providers.base import ContextKind, Malformed, Parsed, Provider, own_location
from tracelang.providers.numbers import parse_number

LENGTHS = (1, 2, 4, 8)
MODES = {"r", "w", "x", "rw"}


def _parser(name: str) -> Callable[[tuple[str, ...]], Parsed | Malformed]:
    """`name:address:length:mode` or `name:function+argN:length:mode`."""

    def parse(parts: tuple[str, ...]) -> Parsed | Malformed:
        if len(parts) != 3:
            return Malformed(f"{name} probe type requires 3 arguments, found {len(parts)}", f"write {name}:0x1000:8:w")
        place, length_text, mode = parts
        length = parse_number(length_text)
        if length not in LENGTHS:
            return Malformed("watchpoint length must be one of (1,2,4,8)", f"{length_text} isn't")
        canonical = "".join(sorted(mode))
        if canonical not in MODES:
            return Malformed(f"invalid watchpoint mode: {mode}", "use r, w, x or rw")
        options: dict[str, int | str] = {"length": length, "mode": canonical}
        function, plus, argument = place.partition("+")
        if plus:
            index = parse_number(argument.removeprefix("arg"))
            if not argument.startswith("arg") or index is None:
                return Malformed(f"Invalid function argument: {argument!r}", f"write {name}:function+arg0:8:w")
            return Parsed(parts, {**options, "function": function, "argument": index})
        address = parse_number(place)
        if not address:
            return Malformed(f"Invalid address of watchpoint: {place!r}", "write it as 0x1000, or function+argN")
        return Parsed(parts, {**options, "address": address})

    return parse


WATCHPOINT = Provider(
    name="watchpoint",
    aliases=("w",),
    parse=_parser("watchpoint"),
    program_type=ProgramType.PERF_EVENT,
    context=ContextKind.PERF_EVENT,
    locate=own_location,
    usage="watchpoint:address:length:mode",
)
ASYNCWATCHPOINT = Provider(
    name="asyncwatchpoint",
    aliases=("aw",),
    parse=_parser("asyncwatchpoint"),
    program_type=ProgramType.PERF_EVENT,
    context=ContextKind.PERF_EVENT,
    locate=own_location,
    usage="asyncwatchpoint:function+argN:length:mode",
)
