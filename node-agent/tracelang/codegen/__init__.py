"""The code generator: the typed tree in, a Plan out (C text, maps, programs, events).

`generate` is the only entry. Nothing of the program's text becomes C: names are the generator's own, strings are stored
as numbers, the source line stands in comments that `values.comment` made harmless.
"""

from __future__ import annotations

from tracelang import ir
from tracelang.codegen.module import Module
from tracelang.codegen.programs import spec_of, write_program
from tracelang.codegen.render import render
from tracelang.codegen.values import CodegenError
from tracelang.diagnostics import Diagnostics, ProgramError
from tracelang.facts import Facts
from tracelang.plan import CompileOptions, MapRole, Plan
from tracelang.structs import replace

__all__ = ["generate"]


def generate(typed: ir.TypedProgram, options: CompileOptions, facts: Facts) -> Plan:
    """Raises ProgramError when the program needs what this kernel or this generator doesn't have."""
    module = Module(typed, options, facts)
    module.role_macro(MapRole.EVENTS)
    module.role_macro(MapRole.COUNTERS)
    diagnostics = Diagnostics()
    programs = []
    for slot, probe in enumerate(typed.probes):
        try:
            programs.append(write_program(module, probe, slot=slot))
        except CodegenError as error:
            diagnostics.error(error.span or probe.span, str(error))
    if diagnostics.failed:
        raise ProgramError(diagnostics)
    if any(program.uses_scratch for program in programs):
        module.scratch_macro()
    text, line_map = render(module, programs)
    return Plan(
        c_source=text,
        license=typed.license,
        maps=tuple(module.maps),
        programs=tuple(spec_of(program) for program in programs),
        events=tuple(
            replace(event, programs=tuple(sorted(module.emitters.get(index, ()))))
            for index, event in enumerate(typed.events)
        ),
        probe_names=typed.probe_names,
        config=typed.config,
        layouts=typed.layouts,
        line_map=line_map,
    )
