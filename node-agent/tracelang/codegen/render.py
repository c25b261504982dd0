"""The C file: sections in order, and the map from its lines to the program's.

Comes in: what `programs` wrote; goes out: the text and {C line: (line, column)}.
"""

from __future__ import annotations

from tracelang import unwinding
from tracelang.codegen import cgroups_v1, events
from tracelang.codegen.layout import FileText, FunctionText, MapText, ProgramText, StructText, lay_out
from tracelang.codegen.module import SCOPE_KNOWN_ENTRIES, Module
from tracelang.codegen.programs import marked_line
from tracelang.codegen.values import comment
from tracelang.codegen.writer import SCRATCH_MARK, SCRATCH_SLOT, ProgramState, WrittenFunction
from tracelang.plan import Counter, MapSpec
from tracelang.pseudo import Constant
from tracelang.types import align_up

MARK = "\x01"
SCOPE_FIRST_SLOTS = 2
"""Targets on a node that are looked at one by one, every time."""

V1_LEVELS = 64
"""How deep below a target a task may be on a v1 node, in cgroups."""

RUNTIME_NEEDS = {
    "keep_stack": ("count", "keep_frames"),
    "keep_frames": ("count",),
    "count_hit": ("count",),
    "in_scope_cgroups_v1": ("cgroup_v1_read",),
    "current_cgroup_v1_id": ("cgroup_v1_read",),
}
"""Pieces of templates/runtime that call others; each piece is a file, so that only what is used is read."""


def render(module: Module, programs: list[ProgramState]) -> tuple[str, dict[int, tuple[int, int]]]:
    size = max((_scratch_size(program) for program in programs if program.uses_scratch), default=0)
    if size:
        module.add_scratch(programs=len(programs), size=size)
    runtime = set(module.runtime)
    for piece in module.runtime:
        runtime.update(RUNTIME_NEEDS.get(piece, ()))
    variants: dict[str, object] = {"v1": cgroups_v1.offsets(module), "v1_levels": V1_LEVELS}
    text = lay_out(
        FileText(
            maps=tuple(MapText(module.macros[spec.index], spec.index, _describe(spec)) for spec in module.maps),
            events=tuple(StructText(f"event_{spec.id}", events.struct_members(spec)) for spec in module.typed.events),
            programs=tuple(_program(module, program) for program in programs),
            runtime=tuple(sorted(runtime, key=lambda piece: (piece in RUNTIME_NEEDS, piece))),
            numbers=_numbers(module, runtime),
            variants=variants,
        )
    )
    return _take_marks(text)


def _describe(spec: MapSpec) -> str:
    return comment(f"@{spec.user.name}" if spec.user is not None else spec.name)


def _scratch_size(program: ProgramState) -> int:
    members = sum(size for _, size in program.scratch_locals)
    return members + program.zeros + align_up(program.arena_peak, 8)


def _numbers(module: Module, runtime: set[str]) -> dict[str, int]:
    """What pieces of the runtime call by name."""
    numbers: dict[str, int] = {}
    if not runtime.isdisjoint(("count", "count_hit")):
        numbers |= {item.name: item.value for item in Counter}
    if "in_scope_cgroups" in runtime:
        slots = module.options.scope.slots
        numbers |= {"SCOPE_FIRST_SLOTS": min(SCOPE_FIRST_SLOTS, slots), "SCOPE_SLOTS": slots}
        numbers |= {"SCOPE_GENERATION": Constant.SCOPE_GENERATION, "SCOPE_KNOWN_ENTRIES": SCOPE_KNOWN_ENTRIES}
    if "unwind_frame" in runtime:
        numbers |= {f"UNWIND_{item.name}": item.value for item in unwinding.Base}
        numbers |= {"UNWIND_REGIONS": unwinding.REGIONS, "UNWIND_REGION_STEPS": unwinding.REGION_STEPS}
        numbers["UNWIND_ROW_STEPS"] = unwinding.ROW_STEPS
    if "within_rate" in runtime:
        numbers["EVENTS_PER_SECOND"] = module.options.events_per_second
    return numbers


def _program(module: Module, program: ProgramState) -> ProgramText:
    structs = list(program.structs)
    if program.uses_scratch:
        members = [declaration for declaration, _ in program.scratch_locals]
        if program.zeros:
            members.append(f"u8 zeros[{program.zeros}]")
        if program.arena_peak:
            members.append(f"u8 temporary[{align_up(program.arena_peak, 8)}]")
        structs.append(StructText(f"{program.probe.function}_scratch", tuple(members)))
    functions = [_function(module, function, scratch=program.uses_scratch) for function in program.functions]
    return ProgramText(tuple(structs), tuple(functions))


def _function(module: Module, function: WrittenFunction, *, scratch: bool) -> FunctionText:
    lines = []
    for line in function.lines:
        text = marked_line(line, module.position(line.span))
        if SCRATCH_MARK in text:
            if not scratch:
                continue
            text = text.replace(SCRATCH_MARK, "")
            if module.scratch_cpus and text.lstrip().startswith(SCRATCH_SLOT):
                text = text.replace(";", f" * {module.scratch_cpus} + bpf_get_smp_processor_id();", 1)
        lines.append(text)
    return FunctionText(function.name, function.head, tuple(lines), function.comment, function.inlined)


def _take_marks(text: str) -> tuple[str, dict[int, tuple[int, int]]]:
    positions: dict[int, tuple[int, int]] = {}
    plain = []
    for number, line in enumerate(text.split("\n"), start=1):
        content, mark, where = line.partition(MARK)
        if mark:
            row, column = where.split(":")
            positions[number] = (int(row), int(column))
        plain.append(content)
    return "\n".join(plain), positions
