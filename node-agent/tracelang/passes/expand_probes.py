"""Attach points become places that exist: aliases resolved, specs read, wildcards expanded.

before: `t:sys*:sys_enter_open*, i:s:1 { ... }`   after: one Place for each event that matches, and one for the timer.
"""

from __future__ import annotations

import msgspec

from tracelang import nodes
from tracelang.facts import Location
from tracelang.lowering.analysis import Analysis
from tracelang.lowering.body import Place
from tracelang.providers import BY_NAME, find_provider
from tracelang.providers.base import Malformed, Parsed, Positional, Provider
from tracelang.suggest import closest, did_you_mean


class ExpandedProbe(msgspec.Struct, frozen=True):
    """A probe of the program and all places that it stands for; `index` is its position in the program."""

    index: int
    probe: nodes.Probe
    places: tuple[Place, ...]


def expand_probes(program: nodes.Program, analysis: Analysis) -> tuple[ExpandedProbe, ...]:
    """Places are numbered over the whole program: `analysis.probe_names` holds their names."""
    expanded = []
    for index, probe in enumerate(program.probes):
        places: list[Place] = []
        for point in probe.attach_points:
            places.extend(_places(point, analysis))
        _check_mix(probe, places, analysis)
        expanded.append(ExpandedProbe(index, probe, tuple(places)))
    _check_number(program, analysis)
    return tuple(expanded)


def _places(point: nodes.AttachPoint, analysis: Analysis) -> list[Place]:
    provider = find_provider(point.provider)
    if provider is None:
        names = [name for name in BY_NAME if len(name) > 2]
        analysis.error(point.span, f"Invalid probe type: {point.provider}", did_you_mean(point.provider, names))
        return []
    parsed = provider.parse(point.parts[1:])
    if isinstance(parsed, Malformed):
        analysis.error(point.span, parsed.message, parsed.hint)
        return []
    reason = analysis.facts.unsupported(provider.name)
    locations: tuple[Location, ...] = () if reason else provider.locate(parsed, analysis.facts, provider.name)
    if not locations:
        _no_match(point, provider, parsed, reason, analysis)
    places = []
    for location in locations:
        if not _may_be_scoped(point, provider, location, analysis):
            continue
        places.append(Place(provider, location, parsed.options, len(analysis.probe_names)))
        analysis.probe_names.append(location.name)
    return places


def _may_be_scoped(point: nodes.AttachPoint, provider: Provider, location: Location, analysis: Analysis) -> bool:
    """A probe that doesn't run in the task that it is about would show other people's, or miss its own: refused."""
    if analysis.options.scope.kind == "none" or not analysis.options.scope.is_strict:
        return True
    objection = provider.objection(location)
    if objection:
        analysis.error(
            point.span,
            f"{location.name} can't be limited to the target: {objection}",
            "trace a whole node, or use a probe that fires in the process",
        )
    return not objection


def _no_match(point: nodes.AttachPoint, provider: Provider, parsed: Parsed, reason: str, analysis: Analysis) -> None:
    """Nothing is there: by the setting an error, a warning, or nothing at all."""
    message, hint = _missing(provider, parsed, reason, analysis)
    match analysis.text("missing_probes"):
        case "error":
            analysis.error(point.span, message, hint)
        case "warn":
            analysis.warn(point.span, f"{message} Skipping.", hint)


def _missing(provider: Provider, parsed: Parsed, reason: str, analysis: Analysis) -> tuple[str, str]:
    """What is missing, and what may have been meant."""
    name = ":".join(part for part in parsed.parts if part)
    if reason:
        return f"No matches for {provider.name} {name}: {reason}.", ""
    if "*" in name or "?" in name or "[" in name:
        known_way = "If this is expected, set the 'missing_probes' config variable to 'warn'."
        return f"Probe has no valid attach points. {known_way} Nothing matches {provider.name}:{name}.", ""
    refusal = analysis.facts.refusal(provider.name, parsed.parts)
    known = analysis.facts.candidates(provider.name)
    if provider.user_symbols:
        everything = (parsed.parts[0], *("*" for _ in parsed.parts[1:]))
        others = analysis.facts.locations(provider.name, everything)
        if not others and provider.positional is not Positional.USDT:
            return f"{provider.name} target file '{parsed.parts[0]}' does not exist or is not executable", ""
        known = (f"{parsed.parts[0]}:{location.function}" for location in others)
    best = closest(name, known)
    if refusal:
        return refusal, f"did you mean {provider.name}:{best}?" if best and "symbol" in refusal else ""
    return f"No matches for {provider.name} {name}.", f"did you mean {provider.name}:{best}?" if best else ""


def _check_mix(probe: nodes.Probe, places: list[Place], analysis: Analysis) -> None:
    alone = next((place for place in places if place.provider.solitary), None)
    if alone is not None and len(places) > 1:
        analysis.error(
            probe.span, f"Only single iter probe is allowed: {alone.location.name} can't share its block with others"
        )


def _check_number(program: nodes.Program, analysis: Analysis) -> None:
    count = len(analysis.probe_names)
    limit = analysis.number("max_probes")
    if count > limit:
        analysis.error(
            program.probes[0].span if program.probes else program.span,
            f"Can't attach to {count} probes because it exceeds the current limit of {limit} probes.",
            "You can increase the limit through the BPFTRACE_MAX_PROBES environment variable, "
            "but BE CAREFUL since a high number of probes attached can cause your system to crash.",
        )
