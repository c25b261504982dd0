"""What the text and the JSON sink share: names and formats prepared from the plan when a session starts."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass

from tracejob_agent.kernel.kallsyms import KernelSymbols
from tracejob_agent.output.layouts import Layouts, PlanLayouts
from tracejob_agent.output.map_format import MapFormat
from tracejob_agent.output.names import KubernetesNames, Names, raw_text
from tracejob_agent.output.user_symbols import UserSymbols
from tracejob_agent.sink import SessionView
from tracelang.plan import EventSpec, Plan

_DEFAULT_STRING = 1024


def _never() -> bool:
    return False


@dataclass(frozen=True, slots=True)
class SinkOptions:
    """program: the program's file name, for errorf(). flush: after each batch of events.

    cancelled: whether the user has asked for the end: no more commands are run then, whatever is waiting.
    print_maps: show maps in the end, if the program doesn't say otherwise.
    notify: print __BPFTRACE_NOTIFY_PROBES_ATTACHED once everything is attached. runtime_errors: show helpers' (-k).
    """

    program: str = "stdin"
    quiet: bool = False
    warnings: bool = True
    notify: bool = False
    print_maps: bool = True
    flush: bool = True
    text: Callable[[bytes], str] = raw_text
    layouts: Layouts | None = None
    kernel_symbols: KernelSymbols | None = None
    user_symbols: UserSymbols | None = None
    kubernetes: KubernetesNames | None = None
    cancelled: Callable[[], bool] = _never


def names_of(session: SessionView, options: SinkOptions) -> Names:
    """The names that a session's values are shown with."""
    plan = session.plan

    def read_stack(key: int, depth: int) -> tuple[int, ...]:
        raw = session.read_stack(key, depth).rstrip(b"\0")
        raw += bytes(-len(raw) % 8)
        return struct.unpack(f"<{len(raw) // 8}Q", raw)

    user_symbols = options.user_symbols or UserSymbols()
    user_symbols.cpp_demangle = bool(plan.config.get("cpp_demangle", True))
    names = Names(
        probe_names=plan.probe_names,
        layouts=PlanLayouts(plan.layouts, options.layouts),
        read_stack=read_stack,
        kernel_symbols=options.kernel_symbols,
        user_symbols=user_symbols,
        text=options.text,
        max_strlen=int(plan.config.get("max_strlen", _DEFAULT_STRING)),
        trailer=str(plan.config.get("str_trunc_trailer", "..")),
        series_clock="real" if plan.config.get("dummy_ts_map") else "boot",
    )
    if options.kubernetes is not None:
        names.kubernetes = options.kubernetes
    return names


def map_formats(plan: Plan, names: Names) -> dict[str, MapFormat]:
    found = {}
    for spec in plan.maps:
        if spec.user is not None:
            found[spec.user.name] = MapFormat(spec.user, names)
    return found


def print_arguments(event: EventSpec) -> tuple[int, int]:
    """(top, div) of a print(@m, top, div). A negative top is no limit."""
    return max(int(event.options.get("top", 0)), 0), int(event.options.get("div", 1))
