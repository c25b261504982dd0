"""-l and -lv: the probes, structs and enums that a pattern or a program names."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

from tracejob_agent.cli.front_end import facts_for
from tracejob_agent.cli.options import Options
from tracejob_agent.kernel.btf_c import definition, parameters, result
from tracejob_agent.kernel.btf_file import Kind
from tracejob_agent.kernel.demangle import demangle
from tracejob_agent.kernel.host_facts import HostFacts
from tracejob_agent.kernel.rust_names import demangle_rust
from tracejob_agent.kernel.tracefs import tracepoint_declarations
from tracejob_agent.kernel.wildcard import has_wildcard, matcher
from tracelang.diagnostics import ProgramError
from tracelang.facts import Location, Parameter, Signature
from tracelang.providers import PROVIDERS, find_provider
from tracelang.providers.base import Parsed
from tracelang.providers.perf_events import HARDWARE_ALIASES, HARDWARE_EVENTS, SOFTWARE_ALIASES, SOFTWARE_EVENTS
from tracelang.types import IntType, PointerType, Type, name_of

_TYPE_KINDS = {"struct": (Kind.STRUCT,), "union": (Kind.UNION,), "enum": (Kind.ENUM, Kind.ENUM64)}
_C_INTEGERS = {8: "char", 16: "short", 32: "int", 64: "long"}
_TIMERS = {"interval": ("hz", "ms", "s", "us"), "profile": ("hz", "ms", "s", "us")}
_EVENTS = {
    "software": sorted([*SOFTWARE_EVENTS, *SOFTWARE_ALIASES], key="{}:".format),
    "hardware": sorted([*HARDWARE_EVENTS, *HARDWARE_ALIASES], key="{}:".format),
}
_OF_BINARIES = ("uprobe", "usdt")
_FIXED = {"self": "self:signal:SIGUSR1", "bench": "benchmark::"}
_TRACED = ("fentry", "fexit")
_EVERYTHING = ("fentry", "fexit", "hardware", "iter", "kprobe", "kretprobe", "rawtracepoint", "software", "tracepoint")


def list_probes(options: Options) -> int:
    """Print what fits, which may be nothing; an exit status."""
    # A function of unknown size is a probe too, for those who force it.
    facts = facts_for(options, unsafe=True)
    verbose = options.has("verbose")
    pattern = options.file or "*"
    words = pattern.split()
    if options.expression is not None:
        lines = _of_program(facts, options.expression, verbose=verbose)
    elif len(words) == 2 and words[0] in _TYPE_KINDS:
        lines = _types(facts, keyword=words[0], pattern=words[1], verbose=verbose)
    elif options.file and Path(options.file).is_file():
        lines = _of_program(facts, Path(options.file).read_text(errors="replace"), verbose=verbose)
    else:
        if pattern.endswith(".bt"):
            sys.stderr.write(
                f"WARNING: It appears that '{pattern}' is a filename but the file does not exist. "
                f"Treating '{pattern}' as a search pattern.\n"
            )
        lines = (line for part in pattern.split(",") for line in _matching(facts, part.strip(), verbose=verbose))
        if pattern == "*" and options.pid:
            lines = chain(lines, *(_of_provider(facts, name, "*", verbose=verbose) for name in _OF_BINARIES))
    for line in lines:
        sys.stdout.write(f"{line}\n")
    return 0


def _matching(facts: HostFacts, pattern: str, *, verbose: bool) -> Iterator[str]:
    prefix, colon, rest = pattern.partition(":")
    provider = find_provider(prefix)
    if provider is None and has_wildcard(prefix) and colon and (prefix != "*" or "/" in rest):
        for name in sorted({item.name for item in PROVIDERS if matcher(prefix)(item.name)}):
            if name in (_OF_BINARIES if "/" in rest else _EVERYTHING):
                yield from _of_provider(facts, name, rest or "*", verbose=verbose)
        return
    if provider is not None and (colon or not has_wildcard(prefix)):
        yield from _of_provider(facts, provider.name, rest or "*", verbose=verbose)
        return
    wanted = pattern if has_wildcard(pattern) else f"*:{pattern.lstrip(':')}"
    matches = matcher(wanted if wanted.startswith("*") or ":" in wanted else f"*:{wanted}")
    for name in _EVERYTHING:
        if facts.unsupported(name) and name != "hardware":
            continue
        for shown, location in _everything_of(facts, name):
            if matches(shown):
                yield from _entry(facts, name, shown, location, verbose=verbose)


def _of_provider(facts: HostFacts, provider: str, spec: str, *, verbose: bool) -> Iterator[str]:
    if provider in _TIMERS:
        matches = matcher(spec.partition(":")[0])
        yield from (f"{provider}:{unit}:" for unit in _TIMERS[provider] if matches(unit))
        return
    if provider in _FIXED:
        yield _FIXED[provider]
        return
    if provider in _EVENTS:
        matches = matcher(spec.partition(":")[0])
        yield from (f"{provider}:{name}:" for name in _EVENTS[provider] if matches(name))
        return
    if provider == "iter" and has_wildcard(spec):  # which a program can't have
        for shown, location in _everything_of(facts, provider):
            if matcher(spec)(location.function):
                yield from _entry(facts, provider, shown, location, verbose=verbose)
        return
    if provider not in _EVERYTHING and spec == "*":
        spec = "*:*"  # of all binaries
    row = find_provider(provider)
    parsed = row.parse(tuple(spec.split(":"))) if row else None
    if isinstance(parsed, Parsed):
        # The places of one probe have one name.
        found = {location.name: location for location in facts.locations(provider, parsed.parts)}
        if verbose and provider in ("uprobe", "uretprobe"):
            _warn_of_no_types(facts, found.values())
        language = str(parsed.options.get("language", ""))
        for name, location in sorted(found.items()):
            shown = _in_language(language, provider, location) if language else name
            if shown:
                yield from _entry(facts, provider, shown, location, verbose=verbose)


def _in_language(language: str, provider: str, location: Location) -> str:
    """`uprobe:binary:rust:"module::function"`, as a program may write it; "" for a function of another language."""
    readable = demangle(location.function)
    if readable == location.function or (demangle_rust(location.function) is not None) != (language == "rust"):
        return ""
    return f'{provider}:{location.name.split(":")[1]}:{language}:"{readable}"'


def _warn_of_no_types(facts: HostFacts, locations: Iterable[Location]) -> None:
    """Once for each binary."""
    binaries = {location.target: location.name.split(":")[1] for location in locations}
    for target, path in binaries.items():
        if not facts.has_user_types(target):
            sys.stderr.write(f'WARNING: No DWARF found for "{path}", cannot show parameter info\n')


def _everything_of(facts: HostFacts, provider: str) -> Iterator[tuple[str, Location]]:
    if provider in _EVENTS:
        yield from ((f"{provider}:{name}:", Location(name)) for name in _EVENTS[provider])
        return
    if provider in _TRACED:
        for location in sorted(facts.locations(provider, ("", "*")), key=lambda item: item.name):
            yield location.name, location
        return
    for name in sorted(facts.candidates(provider)):
        category, _, event = name.rpartition(":")
        shown = f"vmlinux:{name}" if provider == "rawtracepoint" else name
        yield f"{provider}:{shown}", Location(name, target=category, function=event)


def _entry(facts: HostFacts, provider: str, shown: str, location: Location, *, verbose: bool) -> Iterator[str]:
    if provider == "rawtracepoint" and shown.count(":") == 1:
        shown = shown.replace(":", ":vmlinux:")  # by the module that has it
    yield shown
    if verbose:
        yield from (f"    {line}" for line in _arguments(facts, provider, location))


def _arguments(facts: HostFacts, provider: str, location: Location) -> list[str]:
    """What a probe's program can read, as C declarations."""
    match provider:
        case "tracepoint":
            return tracepoint_declarations(location.target, location.function)
        case "kprobe" | "kretprobe" | "fentry" | "fexit":
            return _function_arguments(facts, provider, location)
        case "rawtracepoint":
            return [item.replace("*", " *", 1) for item in _signature(facts.raw_tracepoint(location.function))]
        case "uprobe":
            return _signature(facts.user_function(location.target, location.function))
        case "uretprobe":
            signature = facts.user_function(location.target, location.function)
            return [f"{_c_name(signature.result)} retval"] if signature and signature.result else []
        case "iter":
            layout = facts.iterator(location.function)
            return [f"{_c_name(item.type)} {item.name}" for item in layout.members.values()] if layout else []
    return []


def _function_arguments(facts: HostFacts, provider: str, location: Location) -> list[str]:
    """fentry names arguments, a kprobe counts them; where the function returns there is its value."""
    btf = facts.types_of(location.module)
    record = btf.function(location.function) if btf else None
    if btf is None or record is None:
        return []
    found = parameters(btf, record) if provider != "kretprobe" else []
    if provider == "kprobe":
        found = [(kind, f"arg{number}") for number, (kind, _) in enumerate(found)]
    returned = result(btf, record)
    if provider in ("fexit", "kretprobe") and returned:
        found.append((returned, "retval"))
    return [f"{kind} {name}" for kind, name in found]


def _signature(signature: Signature | None) -> list[str]:
    return [f"{_parameter_type(item)} {item.name}" for item in signature.parameters] if signature else []


def _parameter_type(parameter: Parameter) -> str:
    if parameter.is_reference and isinstance(parameter.type, PointerType):
        return f"{_c_name(parameter.type.target)}&"
    return _c_name(parameter.type)


def _c_name(type_: Type) -> str:
    """A type as C spells it."""
    match type_:
        case IntType(bits=bits, signed=signed):
            return f"{'' if signed else 'unsigned '}{_C_INTEGERS[bits]}"
        case PointerType(target=target):
            return f"{_c_name(target)}*"
    return name_of(type_)


def _types(facts: HostFacts, *, keyword: str, pattern: str, verbose: bool) -> Iterator[str]:
    if facts.btf is None:
        return
    btf, matches = facts.btf.btf, matcher(pattern)
    found: dict[str, int] = {}
    for type_id in btf.ids_of_kind(*_TYPE_KINDS[keyword]):
        name = btf.name_of_id(type_id)
        if name and matches(name):
            found.setdefault(name, type_id)
    for name, type_id in sorted(found.items()):
        yield f"vmlinux: {definition(btf, btf.record(type_id))}\n" if verbose else f"{keyword} {name}"


def _of_program(facts: HostFacts, text: str, *, verbose: bool) -> Iterator[str]:
    """Each probe that the program names, once. Raises ProgramError."""
    from tracelang.compiler import parse

    program, diagnostics = parse(text)
    if program is None or diagnostics.failed:
        raise ProgramError(diagnostics)
    shown = set()
    for probe in program.probes:
        for point in probe.attach_points:
            for line in _matching(facts, point.text, verbose=verbose):
                if verbose or line not in shown:
                    shown.add(line)
                    yield line
