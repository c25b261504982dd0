"""What `launch` needs of a plan, as plain data: numbers, texts and bytes that `marshal` takes as they are.

A plan proper is made of the compiler's types, and to unpack one takes longer than to bring a program up.
"""

from __future__ import annotations

from tracejob_agent.kernel.tracepoint_files import tracepoint_record
from tracejob_agent.probes.timers import period_of
from tracelang.plan import Attachment, EventKind, MapRole, Plan, ProgramSpec, ProgramType

_MOST_PLACES = 16
_PLAIN_TYPES = (ProgramType.TRACEPOINT, ProgramType.PERF_EVENT, ProgramType.RAW_TRACEPOINT)

TRACEPOINT, RAW_TRACEPOINT, CLOCK = "tracepoint", "rawtracepoint", "clock"


TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypedDict

    class Place(TypedDict):
        """kind: of the three above. name: category/event, or the raw tracepoint's. period: ns.

        on_each: on every processor.
        """

        kind: str
        cookie: int
        name: str
        period: int
        on_each: bool

    class ProgramData(TypedDict):
        """begin: when a begin probe comes in the program's text, counted from 0; else -1."""

        name: str
        label: str
        type: int
        function: str
        callbacks: tuple[str, ...]
        kfuncs: tuple[int, ...]
        begin: int
        places: tuple[Place, ...]

    class LaunchData(TypedDict):
        """places: how many the user is told of. maps: what create_map takes, by index.

        constants: that map's index, or -1. records: by category/event, the tracepoints' records that the byte
        code was made for. warnings: for the user, plain and in color.
        """

        places: int
        license: str
        maps: tuple[tuple[int, str, dict[str, int]], ...]
        constants: int
        programs: tuple[ProgramData, ...]
        records: dict[str, str]
        warnings: tuple[str, str]

else:
    Place = ProgramData = LaunchData = dict  # what they are, without 3.5 ms for `typing`


def launch_data(plan: Plan, *, warnings: tuple[str, str] = ("", "")) -> LaunchData | None:
    """None: the program needs more than `launch` does. Few places, of tracepoints and clocks, and no scope to fill."""
    providers = {item.provider for spec in plan.programs for item in spec.attachments}
    begin_may_exit = "begin" in providers and any(event.kind is EventKind.EXIT for event in plan.events)
    if begin_may_exit or any(spec.role in (MapRole.SCOPE_CGROUPS, MapRole.SCOPE_PIDS) for spec in plan.maps):
        return None
    programs = []
    for spec in plan.programs:
        places = [_place(item) for item in spec.attachments if item.provider not in ("begin", "end")]
        if spec.type not in _PLAIN_TYPES or spec.attach_btf_function or spec.shared or None in places:
            return None
        programs.append(_program(spec, tuple(place for place in places if place is not None)))
    if sum(len(program["places"]) for program in programs) > _MOST_PLACES:
        return None
    records = {}
    for name in [place["name"] for program in programs for place in program["places"] if place["kind"] == TRACEPOINT]:
        found = tracepoint_record(name)
        if found is None:
            return None
        records[name] = found[1]
    return LaunchData(
        places=sum(len(spec.attachments) for spec in plan.programs),
        license=plan.license,
        maps=tuple(
            (
                spec.index,
                spec.name,
                {
                    "kind": spec.kind.value,
                    "key_size": spec.key_size,
                    "value_size": spec.value_size,
                    "max_entries": spec.max_entries,
                    "flags": spec.flags,
                },
            )
            for spec in plan.maps
        ),
        constants=next((spec.index for spec in plan.maps if spec.role == MapRole.CONSTANTS), -1),
        programs=tuple(programs),
        records=records,
        warnings=warnings,
    )


def _program(spec: ProgramSpec, places: tuple[Place, ...]) -> ProgramData:
    return ProgramData(
        name=spec.name,
        label=spec.probe_text,
        type=spec.type.value,
        function=spec.function,
        callbacks=tuple(spec.callbacks),
        kfuncs=tuple(spec.kfuncs),
        begin=spec.probe_index if any(item.provider == "begin" for item in spec.attachments) else -1,
        places=places,
    )


def _place(item: Attachment) -> Place | None:
    location = item.location
    match item.provider:
        case "tracepoint":
            return _new(TRACEPOINT, item, name=f"{location.target}/{location.function}")
        case "rawtracepoint":
            return _new(RAW_TRACEPOINT, item, name=location.function)
        case "interval" | "profile":
            return _new(CLOCK, item, period=period_of(item), on_each=item.provider == "profile")
    return None


def _new(kind: str, item: Attachment, *, name: str = "", period: int = 0, on_each: bool = False) -> Place:
    return Place(kind=kind, cookie=item.cookie, name=name, period=period, on_each=on_each)
