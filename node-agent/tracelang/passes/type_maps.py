"""Maps get their kernel type and size; maps that are read but never written are told."""

from __future__ import annotations

from tracelang import ir, nodes
from tracelang.facts import Facts
from tracelang.kernel_helpers import OLD_KEY_BYTES, has_long_keys
from tracelang.lowering.analysis import Analysis
from tracelang.passes.expand_probes import ExpandedProbe
from tracelang.plan import BpfMapKind
from tracelang.suggest import did_you_mean
from tracelang.symbols import MapSymbol
from tracelang.type_rules import harden, is_known
from tracelang.types import S64, AggregateType, size_of
from tracelang.visitor import walk

DECLARED_KINDS = {
    "hash": BpfMapKind.HASH,
    "lruhash": BpfMapKind.LRU_HASH,
    "percpuhash": BpfMapKind.PERCPU_HASH,
    "percpulruhash": BpfMapKind.LRU_PERCPU_HASH,
    "percpuarray": BpfMapKind.PERCPU_ARRAY,
    "array": BpfMapKind.ARRAY,
}
PER_CPU = (BpfMapKind.PERCPU_HASH, BpfMapKind.LRU_PERCPU_HASH, BpfMapKind.PERCPU_ARRAY)


def assume_unplaced(expanded: tuple[ExpandedProbe, ...], analysis: Analysis) -> bool:
    """Maps that only probes without a place write (`missing_probes = warn`): they exist, and stay empty."""
    assumed = False
    for item in expanded:
        if item.places:
            continue
        for node in walk(item.probe):
            if isinstance(node, nodes.Map) and not is_known(analysis.map(node.name).value):
                symbol = analysis.map(node.name)
                symbol.value = S64
                symbol.assumed = assumed = True
                if symbol.key is not None and not is_known(symbol.key):
                    symbol.key = S64 if node.keys else None
    return assumed


def assume_circular(analysis: Analysis) -> bool:
    """Maps that are assigned from themselves only (`@n = @n + 1`) hold numbers."""
    assumed = False
    for name in analysis.map_reads:
        symbol = analysis.map(name)
        if symbol.written and not is_known(symbol.value):
            symbol.value = S64
            assumed = True
    return assumed


def check_maps(program: nodes.Program, analysis: Analysis) -> None:
    """After the last round."""
    written = [name for name, symbol in analysis.maps.items() if symbol.written]
    for name, span in analysis.map_reads.items():
        symbol = analysis.map(name)
        if not symbol.written:
            analysis.error(span, f"Undefined map: @{name}", did_you_mean(name, written, "@"))
    for symbol in analysis.maps.values():
        if symbol.key is not None and is_known(symbol.key):
            _check_key_size(symbol, analysis)
    for declaration in program.map_declarations:
        _check_declaration(declaration, analysis)


def _check_key_size(symbol: MapSymbol, analysis: Analysis) -> None:
    assert symbol.key is not None
    size = size_of(harden(symbol.key))
    if size > OLD_KEY_BYTES and not has_long_keys(analysis.facts):
        analysis.error(
            symbol.key_span,
            f"The key of @{symbol.name} takes {size} bytes, and this kernel's maps take {OLD_KEY_BYTES} "
            "(more since Linux 5.11)",
            "shorter strings fit: str(pointer, 64), or config = { max_strlen = 64 }",
        )


def _check_declaration(declaration: nodes.MapDeclaration, analysis: Analysis) -> None:
    kind = DECLARED_KINDS.get(declaration.kind)
    if kind is None:
        hint = did_you_mean(declaration.kind, DECLARED_KINDS) or "use " + ", ".join(list(DECLARED_KINDS)[:4])
        analysis.error(declaration.span, f"Invalid bpf map type: {declaration.kind}", hint)
        return
    if declaration.name not in analysis.mentioned:
        analysis.warn(declaration.span, f"Unused map: @{declaration.name}")
        return
    symbol = analysis.maps[declaration.name]
    if not is_known(symbol.value):
        return
    if (kind in PER_CPU) != isinstance(symbol.value, AggregateType):
        analysis.error(
            symbol.value_span,
            f"Incompatible map types. Type from declaration: {declaration.kind}. "
            f"Type from value/key type: {_kind_name(_natural_kind(symbol, analysis.facts))}",
        )


def _kind_name(kind: BpfMapKind) -> str:
    return next(name for name, item in DECLARED_KINDS.items() if item is kind)


def _natural_kind(symbol: MapSymbol, facts: Facts) -> BpfMapKind:
    """Aggregations count per CPU. A program merges them itself where it asks for their value (since 5.19)."""
    per_cpu = isinstance(symbol.value, AggregateType)
    if symbol.merged and not facts.helper("bpf_map_lookup_percpu_elem"):
        per_cpu = False
    if symbol.key is None:
        return BpfMapKind.PERCPU_ARRAY if per_cpu else BpfMapKind.ARRAY
    return BpfMapKind.PERCPU_HASH if per_cpu else BpfMapKind.HASH


def typed_maps(analysis: Analysis) -> tuple[ir.TypedMap, ...]:
    """All maps that the program writes, in order of their first use."""
    return tuple(
        _typed(symbol, analysis)
        for symbol in analysis.maps.values()
        if symbol.name in analysis.mentioned and symbol.written and is_known(symbol.value)
    )


def _typed(symbol: MapSymbol, analysis: Analysis) -> ir.TypedMap:
    kind = _natural_kind(symbol, analysis.facts)
    entries = 1 if symbol.key is None else analysis.number("max_map_keys")
    declaration = analysis.declarations.get(symbol.name)
    if declaration is not None and symbol.key is not None:
        kind = DECLARED_KINDS[declaration.kind]
        entries = declaration.max_entries
    return ir.TypedMap(
        name=symbol.name,
        key=harden(symbol.key) if symbol.key is not None else None,
        value=harden(symbol.value),
        kind=kind,
        max_entries=entries,
        merge=symbol.merge,
        span=symbol.value_span,
    )
