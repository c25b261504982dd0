"""Where patterns of kernel probes attach: tracepoints, functions, iterators."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path

from tracejob_agent.kernel.btf_file import Kind
from tracejob_agent.kernel.btf_types import BtfTypes
from tracejob_agent.kernel.kallsyms import KernelSymbols
from tracejob_agent.kernel.tracefs import has_tracepoint, tracefs_folder, tracepoint_names
from tracejob_agent.kernel.wildcard import has_wildcard, matcher, matching
from tracelang.facts import Location

_RAW_PREFIX = "btf_trace_"
_ITERATOR_PREFIX = "bpf_iter__"


def tracepoint_locations(parts: tuple[str, ...]) -> Iterator[Location]:
    category, event = parts
    if not has_wildcard(category + event):
        found = [(category, event)] if has_tracepoint(category, event) else []
    else:
        in_category, is_wanted = matcher(category), matcher(event)
        found = sorted({item for item in tracepoint_names() if in_category(item[0]) and is_wanted(item[1])})
    for category, event in found:
        yield Location(name=f"tracepoint:{category}:{event}", target=category, function=event, module=category)


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


def function_locations(
    provider: str, parts: tuple[str, ...], *, types: BtfTypes | None, symbols: KernelSymbols
) -> Iterator[Location]:
    """kprobe, kretprobe, fentry, fexit. parts: (module, function or function+offset)."""
    module, target = parts
    function, _, text = target.partition("+")
    offset = int(text, 0) if text else 0
    prefix = f"{provider}:{module}:" if module else f"{provider}:"
    if has_wildcard(function):
        for name, owner in traceable_functions(symbols):
            if matcher(function)(name) and (not module or matcher(module)(owner)):
                yield Location(name=f"{prefix}{name}", function=name, module=owner)
        return
    if provider in ("fentry", "fexit"):
        known = types is not None and types.function_id(function) is not None
        address = 0
    else:
        address = symbols.address_of(function) or 0
        known = address != 0
    if known and (not module or module == "vmlinux" or (module, function) in _owners()):
        yield Location(
            name=f"{prefix}{target}",
            function=function,
            address=address + offset if address else 0,
            offset=offset,
            module=module or "vmlinux",
        )


def iterator_locations(types: BtfTypes, parts: tuple[str, ...]) -> Iterator[Location]:
    for name in matching(parts[0], iterator_names(types)):
        yield Location(name=f"iter:{name}", function=name, module="vmlinux")


@cache
def iterator_names(types: BtfTypes) -> tuple[str, ...]:
    structs = (types.btf.name_of_id(item) for item in types.btf.ids_of_kind(Kind.STRUCT))
    names = {name.removeprefix(_ITERATOR_PREFIX) for name in structs if name.startswith(_ITERATOR_PREFIX)}
    # "task__safe_trusted" and the like are the verifier's own; what can be attached to has a function.
    return tuple(sorted(name for name in names if types.function_id(f"bpf_iter_{name}") is not None))


@cache
def traceable_functions(symbols: KernelSymbols) -> tuple[tuple[str, str], ...]:
    """(function, module) of all that may be probed; all functions where the kernel doesn't list the traceable ones."""
    folder = tracefs_folder()
    try:
        text = (folder / "available_filter_functions").read_text() if folder else ""
    except OSError:
        text = ""
    if not text:
        return tuple((name, "vmlinux") for name in sorted(set(symbols.functions())))
    found = set()
    for line in text.splitlines():
        name, _, rest = line.partition(" ")
        found.add((name, rest.strip(" []") or "vmlinux"))
    return tuple(sorted(found))


def is_loaded(module: str) -> bool:
    """Whether the kernel has the module, or a pattern may mean one."""
    if module == "vmlinux" or has_wildcard(module):
        return True
    return (Path("/sys/module") / module.replace("/", "_")).is_dir()


@cache
def _owners() -> frozenset[tuple[str, str]]:
    return frozenset((module, name) for name, module in traceable_functions(KernelSymbols()) if module != "vmlinux")
