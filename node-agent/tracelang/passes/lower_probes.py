"""One source probe becomes as few BPF programs as its body allows.

A body that doesn't depend on the place is one program with many attachments. One that reads `args` is shared by places
whose fields are the same; what the kernel wants one by one (fentry, iter) is one program for each place. Many system
calls share the raw tracepoint that they all pass (share_system_calls).
"""

from __future__ import annotations

from collections import Counter

from tracelang import ir, nodes
from tracelang.lowering.analysis import Analysis
from tracelang.lowering.assignments import zero
from tracelang.lowering.body import Body, Place
from tracelang.lowering.convert import constant_number, truth
from tracelang.lowering.expressions import check_condition, lower_condition, lower_expression
from tracelang.lowering.statements import lower_block
from tracelang.passes.expand_probes import ExpandedProbe
from tracelang.passes.share_system_calls import shared_places
from tracelang.plan import Attachment
from tracelang.providers.base import Option, Provider
from tracelang.structs import Struct
from tracelang.type_rules import is_known
from tracelang.types import S64, StringType, is_scalar


class _Lowered(Struct, frozen=True):
    body: Body
    predicate: ir.Expr | None
    statements: tuple[ir.Stmt, ...]


def lower_probe(expanded: ExpandedProbe, analysis: Analysis, first: int) -> tuple[ir.TypedProbe, ...]:
    """The programs of a probe; `first` numbers their functions."""
    programs: list[ir.TypedProbe] = []
    for group in group_places(expanded.places):
        rest = group
        variant = 0
        while rest:
            together, rest = _next_variant(expanded, rest, analysis, variant)
            programs.append(_typed(expanded, together, first + len(programs)))
            variant += 1
    return tuple(programs)


def group_places(places: tuple[Place, ...]) -> list[tuple[Place, ...]]:
    """Places that could share a program as far as the kernel is concerned.

    A place that is written twice (by name and by a wildcard) fires twice, which takes two programs.
    """
    groups: dict[object, list[Place]] = {}
    times: Counter[tuple[object, ...]] = Counter()
    for place in places:
        where = place.location
        spot = (where.name, where.target, where.address, where.offset, where.pid)
        times[spot] += 1
        key: object = place.id if place.provider.separate else (_family(place.provider), times[spot])
        groups.setdefault(key, []).append(place)
    return [tuple(group) for group in groups.values()]


def _family(provider: Provider) -> tuple[object, ...]:
    return (provider.name, provider.program_type, provider.task_context, provider.space)


def _next_variant(
    expanded: ExpandedProbe, places: tuple[Place, ...], analysis: Analysis, variant: int
) -> tuple[_Lowered, tuple[Place, ...]]:
    """The body lowered for the first place and all that can share it; and the places that can't."""
    mark = _mark(analysis)
    lowered = _lower(expanded, places, analysis, variant)
    if len(places) == 1:
        return lowered, ()
    alike = _alike(lowered.body, places)
    shared = shared_places(lowered.body, (lowered.predicate, lowered.statements), alike)
    if shared:
        _rewind(analysis, mark)
        chosen = {place.id for place in shared}
        rest = tuple(place for place in places if place.id not in chosen)
        return _lower(expanded, shared, analysis, variant), rest
    if lowered.body.separate_names:
        alike = tuple({place.id: place for place in reversed(alike)}.values())[::-1]
    if lowered.body.uses_cookie and not analysis.facts.helper("bpf_get_attach_cookie"):
        alike = places[:1]
    if alike == places:
        return lowered, ()
    # Lower again for those alone: what depends on how many there are (probe ids, arguments) changes.
    _rewind(analysis, mark)
    lowered = _lower(expanded, alike, analysis, variant)
    return lowered, tuple(place for place in places if place not in alike)


def _mark(analysis: Analysis) -> int:
    return len(analysis.events)


def _rewind(analysis: Analysis, mark: int) -> None:
    """Forget the events since the mark, and that failures are told by them."""
    del analysis.events[mark:]
    analysis.failures = {where: event for where, event in analysis.failures.items() if event < mark}


def _alike(body: Body, places: tuple[Place, ...]) -> tuple[Place, ...]:
    """The first place, and those where every argument that was read is the same."""
    if body.per_place:
        return places[:1]
    if not body.accessed:
        return places
    facts = body.facts
    chosen = [places[0]]
    for place in places[1:]:
        fields = place.provider.fields(facts, place.location) or {}
        if all(fields.get(name) == field for name, field in body.accessed.items()):
            chosen.append(place)
    return tuple(chosen)


def _lower(expanded: ExpandedProbe, places: tuple[Place, ...], analysis: Analysis, variant: int) -> _Lowered:
    probe = expanded.probe
    body = Body(analysis, (expanded.index, places[0].provider.name, variant), places, lower_expression, lower_block)
    with body.scope(probe):
        predicate = _predicate(body, expanded)
        statements = lower_block(body, probe.body)
    return _Lowered(body, predicate, (*cleared(body, probe.body), *statements))


def cleared(body: Body, node: nodes.Node) -> tuple[ir.Stmt, ...]:
    """Variables of inner blocks that are read outside of them are zero when the block didn't run."""
    return tuple(
        ir.SetLocal(node.span, slot, zero(node, body.locals[slot].type))
        for slot in sorted(body.reopened)
        if is_scalar(body.locals[slot].type) or isinstance(body.locals[slot].type, StringType)
    )


def _predicate(body: Body, expanded: ExpandedProbe) -> ir.Expr | None:
    node = expanded.probe.predicate
    if node is None:
        return None
    condition = lower_condition(body, node)
    if not check_condition(body, condition):
        return None
    # A predicate that is always true is none.
    return None if constant_number(condition) not in (None, 0) else truth(condition)


def _typed(expanded: ExpandedProbe, lowered: _Lowered, number: int) -> ir.TypedProbe:
    body = lowered.body
    provider = body.provider
    assert provider is not None
    several = len(body.places) > 1
    return ir.TypedProbe(
        index=expanded.index,
        function=f"tj_probe_{number}",
        type=provider.program_type,
        attachments=tuple(_attachment(place, cookie=several and body.uses_cookie) for place in body.places),
        predicate=lowered.predicate,
        body=lowered.statements,
        locals=tuple(local if is_known(local.type) else ir.LocalVariable(local.name, S64) for local in body.locals),
        scoped=provider.task_context,
        text=", ".join(point.text for point in expanded.probe.attach_points),
        span=expanded.probe.span,
        context_space=provider.space,
        attach_btf_function=provider.traced(body.location) if provider.separate else "",
        shared=provider.shared,
    )


def _attachment(place: Place, *, cookie: bool) -> Attachment:
    options: dict[str, Option] = dict(place.options)
    return Attachment(place.provider.name, place.location, cookie=place.id if cookie else 0, options=options)
