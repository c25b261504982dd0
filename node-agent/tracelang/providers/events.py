"""begin, end, test, bench, self: events of the session itself; run, never attached."""

from __future__ import annotations

from tracelang.plan import ProgramType
from tracelang.providers.base import Malformed, Parsed, Provider, own_location

SIGNALS = ("SIGUSR1", "SIGUSR2", "SIGHUP", "SIGCONT")


def _nothing(name: str) -> Provider:
    def parse(parts: tuple[str, ...]) -> Parsed | Malformed:
        if parts and parts != ("",):
            return Malformed(f"{name} probe type requires 0 arguments, found {len(parts)}")
        return Parsed(())

    return Provider(
        name=name,
        aliases=(name.upper(),),
        parse=parse,
        program_type=ProgramType.RAW_TRACEPOINT,
        task_context=False,
        may_signal=False,
        locate=own_location,
        kind="special",
        usage=name,
    )


def _named(name: str) -> Provider:
    def parse(parts: tuple[str, ...]) -> Parsed | Malformed:
        if len(parts) != 1 or not parts[0]:
            return Malformed(f"{name} probe type requires 1 argument, found {len(parts)}", f"write {name}:some_name")
        return Parsed(parts)

    return Provider(
        name=name,
        aliases=(name.upper(),),
        parse=parse,
        program_type=ProgramType.RAW_TRACEPOINT,
        task_context=False,
        may_signal=False,
        locate=own_location,
        usage=f"{name}:name",
    )


def _parse_self(parts: tuple[str, ...]) -> Parsed | Malformed:
    match parts:
        case ("signal", signal):
            if signal not in SIGNALS:
                return Malformed(f"{signal} is not a supported signal", "use SIGUSR1")
            return Parsed(parts, {"signal": signal})
        case (kind, *_) if kind != "signal":
            return Malformed(f"{kind} is not a supported trigger", "use self:signal:SIGUSR1")
    return Malformed(f"self probe type requires 2 arguments, found {len(parts)}", "use self:signal:SIGUSR1")


BEGIN = _nothing("begin")
END = _nothing("end")
TEST = _named("test")
BENCH = _named("bench")
SELF = Provider(
    name="self",
    parse=_parse_self,
    program_type=ProgramType.RAW_TRACEPOINT,
    task_context=False,
    may_signal=False,
    locate=own_location,
    usage="self:signal:SIGUSR1",
)
