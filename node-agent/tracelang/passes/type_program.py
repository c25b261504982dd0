"""Every expression gets its type: the program is lowered again and again until no map and no variable changes.

before: nodes.Program, macros expanded   after: ir.TypedProgram, or diagnostics
"""

from __future__ import annotations

from tracelang import ir, nodes
from tracelang.config import resolve_config
from tracelang.diagnostics import Diagnostics, ProgramError
from tracelang.facts import Facts
from tracelang.lowering.analysis import Analysis
from tracelang.lowering.body import Body
from tracelang.lowering.casts import written_type
from tracelang.lowering.expressions import lower_expression
from tracelang.lowering.statements import lower_block
from tracelang.passes.expand_probes import ExpandedProbe, expand_probes
from tracelang.passes.lower_probes import lower_probe
from tracelang.passes.type_maps import assume_circular, assume_unplaced, check_maps, typed_maps
from tracelang.plan import CompileOptions
from tracelang.source import NOWHERE, Source
from tracelang.type_names import TypeNames
from tracelang.type_rules import harden
from tracelang.types import NONE, VoidType

MAX_ROUNDS = 16


def type_program(
    program: nodes.Program,
    facts: Facts,
    options: CompileOptions,
    *,
    sources: tuple[Source, ...],
    diagnostics: Diagnostics,
) -> ir.TypedProgram:
    """Raises ProgramError; warnings go to `diagnostics`."""
    settings = resolve_config(program.config, options, diagnostics, facts=facts)
    types = TypeNames(program.c_definitions, facts)
    for node, name in types.unknown:
        diagnostics.error(node.span, f'Cannot resolve unknown type "{name}"')
    analysis = Analysis(
        facts=facts,
        options=options,
        settings=settings,
        types=types,
        sources=sources,
        declarations={declaration.name: declaration for declaration in program.map_declarations},
        subprograms={subprogram.name: subprogram for subprogram in program.subprograms},
    )
    if not program.probes:
        diagnostics.error(
            program.span, "The program has no probes: it wouldn't do anything", hint="write begin { ... }"
        )
    expanded = expand_probes(program, analysis)
    diagnostics.items.extend(analysis.diagnostics.items)
    if not diagnostics.failed and program.probes and not analysis.probe_names:
        diagnostics.error(program.probes[0].span, "None of the program's probes exists here.\nNo probes to attach")
    if diagnostics.failed:
        raise ProgramError(diagnostics)
    names = tuple(analysis.probe_names)
    probes, subprograms = _to_fixpoint(program, expanded, analysis)
    if assume_unplaced(expanded, analysis):
        probes, subprograms = _to_fixpoint(program, expanded, analysis)
    if not analysis.diagnostics.failed and assume_circular(analysis):
        probes, subprograms = _to_fixpoint(program, expanded, analysis)
    check_maps(program, analysis)
    _check_variables(analysis)
    _check_options(program, analysis)
    diagnostics.items.extend(analysis.diagnostics.items)
    if diagnostics.failed:
        raise ProgramError(diagnostics)
    return ir.TypedProgram(
        maps=typed_maps(analysis),
        events=tuple(analysis.events),
        probes=probes,
        subprograms=subprograms,
        probe_names=names,
        config=settings,
        license=str(settings["license"]),
        layouts=analysis.layouts,
        failures=analysis.failures,
    )


def _check_variables(analysis: Analysis) -> None:
    """After the last round: a variable that is read needs an assignment that gives it a type."""
    if analysis.diagnostics.failed:
        return  # what couldn't be assigned was told
    for span, name in analysis.unknown_reads.items():
        analysis.error(span, f"The type of ${name} can't be told: it is declared, but never assigned to")


def _check_options(program: nodes.Program, analysis: Analysis) -> None:
    """A named parameter that the program doesn't ask for is a mistake of the caller, or `--help`."""
    given = {name for name in analysis.options.named if not name.startswith("__")}
    unknown = sorted(given - set(analysis.used_options))
    if not unknown:
        return
    known = "".join(f"\n--{name}: {what}".rstrip() for name, what in sorted(analysis.used_options.items()))
    hint = f"expected program options:{known}" if known else ""
    analysis.error(NOWHERE, f"unexpected program command line options: {', '.join(f'--{x}' for x in unknown)}", hint)


def _to_fixpoint(
    program: nodes.Program, expanded: tuple[ExpandedProbe, ...], analysis: Analysis
) -> tuple[tuple[ir.TypedProbe, ...], tuple[ir.TypedSubprogram, ...]]:
    """Types only grow, so this ends; the bound is there for a mistake of ours."""
    limit = analysis.number("max_bpf_progs")
    for _ in range(MAX_ROUNDS):
        analysis.begin_round()
        probes: list[ir.TypedProbe] = []
        subprograms = tuple(_subprogram(node, analysis) for node in program.subprograms)
        for item in expanded:
            if item.places:
                probes.extend(lower_probe(item, analysis, len(probes)))
            if len(probes) > limit:
                analysis.error(
                    item.probe.span,
                    f"Your program is trying to generate more than {limit} BPF programs, "
                    f"which exceeds the current limit of {limit}",
                    "You can increase the limit through the BPFTRACE_MAX_BPF_PROGS environment variable.",
                )
                return (), ()
        if not analysis.changed:
            return tuple(probes), subprograms
    raise AssertionError(f"types still change after {MAX_ROUNDS} rounds")


def _subprogram(node: nodes.Subprogram, analysis: Analysis) -> ir.TypedSubprogram:
    body = Body(analysis, node.name, (), lower_expression, lower_block)
    result = written_type(body, node.result)
    body.result = NONE if result is None or isinstance(result, VoidType) else harden(result)
    slots = []
    with body.scope(node):
        for name, written in node.parameters:
            type_ = written_type(body, written)
            scope, symbol = body.declare_variable(name, written.span)
            if type_ is not None:
                symbol.type = type_
                symbol.declared = True
                body.locals[scope.slots[name]] = ir.LocalVariable(name, harden(type_))
            slots.append(scope.slots[name])
        statements = lower_block(body, node.body)
    return ir.TypedSubprogram(node.name, tuple(slots), tuple(body.locals), body.result, statements)
