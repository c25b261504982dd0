"""Where patterns of kernel probes attach: tracepoints, functions, iterators."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from functools import cache

from tracejob_agent.kernel.btf_file import Kind
from tracejob_agent.kernel.btf_types import BtfTypes
from tracejob_agent.kernel.tracefs import has_tracepoint, read_text, tracefs_folder, tracepoint_names
from tracejob_agent.kernel.wildcard import has_wildcard, matcher, matching
from tracelang.facts import Location
from tracelang.syscalls import call_of_event

TYPE_CHECKING = False
if TYPE_CHECKING:
    from tracejob_agent.kernel.kallsyms import KernelSymbols

_RAW_PREFIX = "btf_trace_"
_DISCARDED = "__ftrace_invalid_address__"
"""The kernel's name for places that were traceable before the linker threw their function away."""
_ITERATOR_PREFIX = "bpf_iter__"


def tracepoint_locations(parts: tuple[str, ...]) -> Iterator[Location]:
    category, event = parts
    if not has_wildcard(category + event):
        found = [(category, event)] if has_tracepoint(category, event) else []
    else:
        in_category, is_wanted = matcher(category), matcher(event)
        found = sorted({item for item in tracepoint_names() if in_category(item[0]) and is_wanted(item[1])})
    for category, event in found:
        yield Location(
            name=f"tracepoint:{category}:{event}",
            target=category,
            function=event,
            module=category,
            system_call=call_of_event(event) if category == "syscalls" else -1,
        )


def raw_tracepoint_locations(types: BtfTypes, parts: tuple[str, ...]) -> Iterator[Location]:
    module, name = parts
    if module and not matcher(module)("vmlinux"):
        return
    if has_wildcard(name):
        names = matching(name, raw_tracepoint_names(types))
    else:
        names = [name] if types.btf.find(_RAW_PREFIX + name, Kind.TYPEDEF) else []
    for event in names:
        yield Location(name=f"rawtracepoint:vmlinux:{event}", target="vmlinux", function=event, module="vmlinux")


@cache
def raw_tracepoint_names(types: BtfTypes) -> tuple[str, ...]:
    names = (types.btf.name_of_id(item) for item in types.btf.ids_of_kind(Kind.TYPEDEF))
    return tuple(sorted(name.removeprefix(_RAW_PREFIX) for name in names if name.startswith(_RAW_PREFIX)))


def function_locations(provider: str, parts: tuple[str, ...], *, symbols: KernelSymbols) -> Iterator[Location]:
    """kprobe, kretprobe. parts: (module, function or function+offset)."""
    module, target = parts
    function, _, text = target.partition("+")
    offset = int(text, 0) if text else 0
    prefix = f"{provider}:{module}:" if module else f"{provider}:"
    if has_wildcard(function):
        for name, owner in functions_like(function, symbols):
            if not module or matcher(module)(owner):
                yield Location(name=f"{prefix}{name}", function=name, module=owner)
        return
    address = symbols.address_of(function)
    if address and (module in ("", "vmlinux") or module in _owners(function, symbols)):
        yield Location(
            name=f"{prefix}{target}",
            function=function,
            address=address + offset,
            offset=offset,
            module=module or "vmlinux",
        )


def traced_locations(
    provider: str,
    parts: tuple[str, ...],
    *,
    types_in: Callable[[str], BtfTypes | None],
    symbols: KernelSymbols,
) -> Iterator[Location]:
    """fentry, fexit: functions whose types are known. A module's name is part of what the probe is called."""
    module, function = parts
    kernel = types_in("vmlinux")
    if has_wildcard(function):
        found = [item for item in functions_like(function, symbols) if not module or matcher(module)(item[1])]
    elif module or (kernel and kernel.function_id(function) is not None):
        found = [(function, module or "vmlinux")]
    else:
        found = [(function, owner) for owner in _owners(function, symbols)]
    for name, owner in found:
        types = types_in(owner)
        if types is not None and types.function_id(name) is not None:
            yield Location(name=f"{provider}:{owner}:{name}", function=name, module=owner)


def iterator_locations(types: BtfTypes, parts: tuple[str, ...]) -> Iterator[Location]:
    for name in matching(parts[0], iterator_names(types)):
        yield Location(name=f"iter:{name}", function=name, module="vmlinux")


@cache
def iterator_names(types: BtfTypes) -> tuple[str, ...]:
    structs = (types.btf.name_of_id(item) for item in types.btf.ids_of_kind(Kind.STRUCT))
    names = {name.removeprefix(_ITERATOR_PREFIX) for name in structs if name.startswith(_ITERATOR_PREFIX)}
    # "task__safe_trusted" and the like are the verifier's own; what can be attached to has a function.
    return tuple(sorted(name for name in names if types.function_id(f"bpf_iter_{name}") is not None))


def traceable_functions(symbols: KernelSymbols) -> list[tuple[str, str]]:
    """(function, module) of all that may be probed; all functions where the kernel doesn't list the traceable ones."""
    return functions_like("*", symbols)


def functions_like(pattern: str, symbols: KernelSymbols) -> list[tuple[str, str]]:
    """Those of them that the pattern stands for, sorted: found in the kernel's text at once, as it has 60,000 lines."""
    given = symbols.traceable
    text = _traceable_text() if given is None else given
    if not text and given is None:
        return [(name, "vmlinux") for name in matching(pattern, symbols.functions())]
    name = r"\S*".join(re.escape(part) for part in pattern.split("*"))
    found = re.findall(rf"^({name})(?: \[(\S+)\])?$", text, re.MULTILINE)
    kept = (item for item in found if item[0] and not item[0].startswith(_DISCARDED))
    return sorted({(function, owner or "vmlinux") for function, owner in kept})


@cache
def _traceable_text() -> str:
    folder = tracefs_folder()
    try:
        return read_text(f"{folder}/available_filter_functions") if folder else ""
    except OSError:
        return ""


def is_loaded(module: str) -> bool:
    """Whether the kernel has the module, or a pattern may mean one."""
    if module == "vmlinux" or has_wildcard(module):
        return True
    return os.path.isdir(f"/sys/module/{module.replace('/', '_')}")


def _owners(function: str, symbols: KernelSymbols) -> list[str]:
    """The modules that have a function of this name; "vmlinux" is the kernel itself."""
    return [owner for _, owner in functions_like(function, symbols)]
