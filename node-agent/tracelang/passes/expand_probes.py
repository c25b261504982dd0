"""Attach points become places that exist: aliases resolved, specs read, wildcards expanded.

before: `t:sys*:sys_enter_open*, i:s:1 { ... }`   after: one Place for each event that matches, and one for the timer.
"""

from __future__ import annotations

from tracelang import nodes
from tracelang.diagnostics import Note
from tracelang.facts import Location
from tracelang.lowering.analysis import Analysis
from tracelang.lowering.body import Place
from tracelang.providers import BY_NAME, find_provider
from tracelang.providers.base import Malformed, Parsed, Provider
from tracelang.source import NOWHERE
from tracelang.structs import Struct
from tracelang.suggest import closest, did_you_mean

FAILED_TO_ATTACH = 255
"""bpftrace's exit status."""


class ExpandedProbe(Struct, frozen=True):
    """A probe of the program and all places that it stands for; `index` is its position in the program."""

    index: int
    probe: nodes.Probe
    places: tuple[Place, ...]


def expand_probes(program: nodes.Program, analysis: Analysis) -> tuple[ExpandedProbe, ...]:
    """Places are numbered over the whole program: `analysis.probe_names` holds their names."""
    expanded = []
    for index, probe in enumerate(program.probes):
        places: list[Place] = []
        empty: list[_Empty] = []
        for point in probe.attach_points:
            found = _places(point, analysis)
            if isinstance(found, _Empty):
                empty.append(found)
            else:
                places.extend(found)
        _report_empty(probe, empty, analysis, alone=not places)
        _check_mix(probe, places, analysis)
        expanded.append(ExpandedProbe(index, probe, tuple(places)))
    _check_number(program, expanded, analysis)
    return tuple(expanded)


class _Empty(Struct, frozen=True):
    """An attach point that is understood, and that stands for nothing here."""

    point: nodes.AttachPoint
    provider: Provider
    parsed: Parsed
    reason: str

    @property
    def name(self) -> str:
        return ":".join(part for part in self.parsed.parts if part)

    @property
    def is_pattern(self) -> bool:
        """Whether it may stand for nothing: a raw tracepoint without a module is looked for in all modules."""
        of_any_module = self.provider.name == "rawtracepoint" and not self.parsed.parts[0]
        return of_any_module or any(mark in self.name for mark in "*?[")


def _places(point: nodes.AttachPoint, analysis: Analysis) -> list[Place] | _Empty:
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
        return _Empty(point, provider, parsed, reason)
    places = []
    numbers: dict[tuple[str, str], int] = {}  # the places of a USDT probe are one probe
    for location in locations:
        if not _may_be_scoped(point, provider, location, analysis):
            continue
        number = numbers.setdefault((location.name, location.target), len(analysis.probe_names))
        if number == len(analysis.probe_names):
            analysis.probe_names.append(location.name)
        places.append(Place(provider, location, parsed.options, number))
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


def _report_empty(probe: nodes.Probe, empty: list[_Empty], analysis: Analysis, *, alone: bool) -> None:
    """By the setting an error, a warning, or nothing at all. alone: nothing is left of the probe.

    A pattern that matches nothing is a mistake only when its probe has nothing else to attach to.
    """
    setting = analysis.text("missing_probes")
    for item in empty:
        danger = analysis.facts.danger(item.provider.name, item.parsed.parts)
        if danger and setting == "error":
            _refuse(item, danger, analysis)
            continue
        refusal = "" if danger else analysis.facts.refusal(item.provider.name, item.parsed.parts)
        if refusal and setting == "error" and not item.provider.user_symbols:
            if alone or not item.is_pattern:
                _error_about(item, refusal, analysis)
            continue
        message, hint = (f"{danger}\n{_unable(item)}", "") if danger else _missing(item, analysis, refusal)
        if setting == "error" and (alone or not item.is_pattern):
            analysis.error(item.point.span, message, hint)
        elif setting == "warn" and not item.is_pattern:
            analysis.warn(item.point.span, f"{message} Skipping.", hint)
    if setting == "warn" and empty and alone:
        analysis.warn(
            empty[0].point.span,
            "Probe has no valid attach points. It is being removed which may cause issues with program behavior.",
        )


def _refuse(item: _Empty, danger: str, analysis: Analysis) -> None:
    """bpftrace finds out when it attaches, and ends as it does when it can't."""
    hint = f"{_unable(item)} If this is expected, set the 'missing_probes' config variable to 'warn'."
    _error_about(item, danger, analysis, hint=hint, status=FAILED_TO_ATTACH)


def _error_about(item: _Empty, message: str, analysis: Analysis, *, hint: str = "", status: int = 1) -> None:
    """Scripts look for a line that begins with ERROR: the place of the probe stands behind it."""
    notes = (Note(item.point.span, "the probe is here"),)
    analysis.error(NOWHERE, message, hint, notes, status=status)


def _unable(item: _Empty) -> str:
    return f"Unable to attach probe: {item.provider.name}:{item.name}."


def _missing(item: _Empty, analysis: Analysis, refusal: str) -> tuple[str, str]:
    """What is missing, and what may have been meant."""
    provider, parsed, name = item.provider, item.parsed, item.name
    nothing = (
        "Probe has no valid attach points. If this is expected, set the 'missing_probes' config variable to 'warn'."
    )
    if refusal:
        return refusal, ""
    hint = item.reason
    if not hint:
        known = analysis.facts.candidates(provider.name)
        if provider.user_symbols and not item.is_pattern:
            others = analysis.facts.locations(provider.name, (parsed.parts[0], *("*" for _ in parsed.parts[1:])))
            known = (location.name.partition(":")[2] for location in others)
        best = closest(name, known)
        hint = f"did you mean {provider.name}:{best}?" if best else ""
    if item.is_pattern:
        return nothing, hint or f"nothing matches {provider.name}:{name}"
    match provider.name:
        case "rawtracepoint":
            return nothing, hint
        case "iter":
            return f"iter {name} not available for your kernel version.", hint
        case "usdt" if not parsed.parts[1]:
            return nothing, hint
        case "usdt":
            name = f"{parsed.parts[0]}:{parsed.parts[-1]}"
    return f"No matches for {provider.name} {name}.", hint


def _check_mix(probe: nodes.Probe, places: list[Place], analysis: Analysis) -> None:
    alone = next((place for place in places if place.provider.solitary), None)
    if alone is not None and len(places) > 1:
        analysis.error(
            probe.attach_points[-1].span,
            f"{alone.provider.name} probe only supports one attach point.",
            f"give {alone.location.name} a block of its own",
        )


def _check_number(program: nodes.Program, expanded: list[ExpandedProbe], analysis: Analysis) -> None:
    """What is attached one by one counts; functions of a binary share a link, however many they are."""
    count = sum(len({place.id for place in one.places if not place.provider.user_symbols}) for one in expanded)
    limit = analysis.number("max_probes")
    if count > limit:
        analysis.error(
            NOWHERE,
            f"Can't attach to {count} probes because it exceeds the current limit of {limit} probes.",
            "You can increase the limit through the BPFTRACE_MAX_PROBES environment variable, "
            "but BE CAREFUL since a high number of probes attached can cause your system to crash.",
        )
