"""A program brought up with next to nothing imported: plain data in, a running program's descriptors out.

    maps -> programs -> constants -> begin probes -> attach

It does what a session does for few places of the plainest kinds (see launch_data), and a session takes over from
here: to import one takes several times as long as all of this, and while that goes on the program already runs. Its
events wait in the ring.
Part of the start: nothing may be imported here that takes long (docs/decisions/0002-direct-start.md).
"""

import os
import struct
import time

from tracejob_agent.bpf.instructions import link
from tracejob_agent.bpf.objects import create_map, load_program, open_raw_tracepoint, test_run, write_element
from tracejob_agent.errors import EngineError
from tracejob_agent.kernel.cpus import online_cpus
from tracejob_agent.kernel.tracepoint_files import tracepoint_record
from tracejob_agent.probes.perf_event import CPU_CLOCK, EventAttribute, EventType, Handle, attach_event
from tracelang.pseudo import Constant

TYPE_CHECKING = False
if TYPE_CHECKING:
    from tracejob_agent.launch_data import LaunchData, Place, ProgramData

NO_ARGUMENTS = bytes(8 * 12)
"""Of a program that is run by hand."""


class Launched:
    """A running program. maps: descriptors by index; programs: in the plan's order. Whoever takes it over owns it."""

    __slots__ = ("handles", "maps", "programs", "start_boot_ns")

    def __init__(self) -> None:
        self.maps: dict[int, int] = {}
        self.programs: list[int] = []
        self.handles: list[Handle] = []
        self.start_boot_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME)

    def close(self) -> None:
        for handle in self.handles:
            for descriptor in (handle.link, handle.event):
                if descriptor >= 0:
                    os.close(descriptor)
        for descriptor in (*self.programs, *self.maps.values()):
            os.close(descriptor)


def launch(data: "LaunchData", functions: dict[str, bytes]) -> Launched | None:
    """None when anything goes wrong: a session will find out what, and say so. Nothing is left behind then."""
    launched = Launched()
    try:
        _bring_up(launched, data, functions)
    except (OSError, EngineError):
        launched.close()
        return None
    except BaseException:
        launched.close()
        raise
    return launched


def _bring_up(launched: Launched, data: "LaunchData", functions: dict[str, bytes]) -> None:
    for index, name, numbers in data["maps"]:
        launched.maps[index] = create_map(name, **numbers)
    for program in data["programs"]:
        launched.programs.append(_load(program, data["license"], functions, launched.maps))
    if data["constants"] >= 0:
        write_constants(launched.maps[data["constants"]], launched.start_boot_ns)
    pairs = list(zip(data["programs"], launched.programs, strict=True))
    for program, descriptor in sorted(pairs, key=lambda pair: pair[0]["begin"]):
        if program["begin"] >= 0:
            test_run(descriptor, NO_ARGUMENTS)
    cpus = online_cpus()
    for program, descriptor in pairs:
        for place in program["places"]:
            launched.handles += _attach(descriptor, place, cpus)


def _load(program: "ProgramData", license_text: str, functions: dict[str, bytes], maps: dict[int, int]) -> int:
    code = link(
        function=program["function"],
        callbacks=program["callbacks"],
        kfuncs=program["kfuncs"],
        functions=functions,
        map_descriptors=maps,
    )
    return load_program(
        code.code,
        name=program["name"],
        type_=program["type"],
        license_text=license_text,
        label=program["label"],
        functions=code.functions,
    )


def write_constants(descriptor: int, start_boot_ns: int, child: int = 0) -> None:
    """What byte code must not hold, so that it can be kept."""
    tai_offset = time.clock_gettime_ns(time.CLOCK_TAI) - time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    values = ((Constant.START, start_boot_ns), (Constant.SW_TAI_OFFSET, tai_offset), (Constant.CHILD_PID, child))
    for slot, value in values:
        write_element(descriptor, struct.pack("<I", slot), struct.pack("<Q", value & 0xFFFFFFFFFFFFFFFF))


def _attach(program: int, place: "Place", cpus: tuple[int, ...]) -> list[Handle]:
    cookie = place["cookie"]
    match place["kind"]:
        case "tracepoint":
            found = tracepoint_record(place["name"])
            if found is None:
                raise EngineError("no such tracepoint")
            attribute = EventAttribute(EventType.TRACEPOINT, found[0], is_disabled=True)
            return [attach_event(program, attribute, cookie=cookie, cpu=cpus[0])]
        case "rawtracepoint":
            return [Handle(link=open_raw_tracepoint(program, place["name"], cookie))]
    attribute = EventAttribute(EventType.SOFTWARE, CPU_CLOCK, period=place["period"])
    return [
        attach_event(program, attribute, cookie=cookie, cpu=cpu) for cpu in (cpus if place["on_each"] else cpus[:1])
    ]
