"""One typed probe in, one BPF program out: the function, its callbacks and its ProgramSpec.

The order inside: place (of many system calls), scope, hit counter, the user's predicate, the body.
"""

from __future__ import annotations

from tracelang import ir
from tracelang.codegen import expressions, intrinsics, loops, maps, scope, statements, subprograms, system_calls
from tracelang.codegen.locals import declare_locals
from tracelang.codegen.module import Module
from tracelang.codegen.values import comment
from tracelang.codegen.writer import Line, ProgramState, Writer, WrittenFunction, scratch_lookup
from tracelang.plan import Counter, MapRole, ProgramSpec, ProgramType
from tracelang.pseudo import Constant

UNCOUNTED = frozenset({"begin", "end", "self", "bench", "test"})
"""Providers whose programs run once: nobody asks how often."""

USER_FUNCTIONS = frozenset({"uprobe", "uretprobe", "usdt"})
"""Providers whose probes stop every process that maps the file, which costs it microseconds."""

ITERATOR_OBJECT = 8
"""Offset of the object in an iterator's context: every struct bpf_iter__* begins {meta, object}."""


def write_program(module: Module, probe: ir.TypedProbe, *, slot: int) -> ProgramState:
    """Writes the probe's functions into a ProgramState, the program itself last."""
    program = ProgramState(probe=probe, slot=slot)
    writer = Writer(module=module, program=program, locals=probe.locals, leave=f"return {result_of(probe.type)};")
    if loops.needs_frame((probe.predicate, probe.body)):
        writer.frame = "scratch->"
    with writer.at(probe.span):
        # Functions of the program first, so that their buffers are out of the way of the program's own.
        subprograms.write_called(writer, (probe.predicate, probe.body))
        if any(item.provider == "iter" for item in probe.attachments):
            # The last call, after the last object, has none.
            writer.emit(f"if (!*(volatile u64 *)(ctx + {ITERATOR_OBJECT})) {writer.leave}")
        if probe.shared:
            system_calls.find_place(writer)
        if probe.scoped:
            scope.guard(writer, counts=all(item.provider in USER_FUNCTIONS for item in probe.attachments))
        with writer.capture() as body:
            for text in scratch_lookup(writer, missing=writer.leave):
                writer.emit(text)
            _count_hit(writer)
            declare_locals(writer, () if probe.predicate is not None else probe.body)
            if probe.predicate is not None:
                with writer.buffers():
                    writer.emit(f"if (!({expressions.condition(writer, probe.predicate)})) {writer.leave}")
            statements.write_all(writer, probe.body)
            writer.emit(writer.leave)
        if program.may_end:
            # A clock ticks on until it is detached, which takes its time.
            writer.emit(f"if ({intrinsics.constant_slot(writer, Constant.ENDED)}) {writer.leave}")
        writer.lines.extend(body)
    program.functions.append(
        WrittenFunction(
            name=probe.function,
            head=f"int {probe.function}(void *ctx)",
            comment=comment(probe.text),
            lines=tuple(writer.lines),
        )
    )
    return program


def result_of(type_: ProgramType) -> int:
    """What a program returns. 1 for tracepoints: 0 would hide the event from other users of perf on this machine."""
    return 1 if type_ is ProgramType.TRACEPOINT else 0


def spec_of(program: ProgramState) -> ProgramSpec:
    probe = program.probe
    return ProgramSpec(
        name=probe.function[:15] if probe.function.startswith("tj_") else f"tj_{probe.function}"[:15],
        function=probe.function,
        type=probe.type,
        attachments=probe.attachments,
        callbacks=tuple(program.callbacks),
        kfuncs=tuple(program.kfuncs),
        probe_text=probe.text,
        probe_index=probe.index,
        attach_btf_function=probe.attach_btf_function,
        shared=probe.shared,
        places_map=program.places_map,
    )


def _runs_once(probe: ir.TypedProbe) -> bool:
    return all(item.provider in UNCOUNTED for item in probe.attachments)


def _count_hit(writer: Writer) -> None:
    probe = writer.program.probe
    if not writer.module.options.count_hits or _runs_once(probe):
        return
    if writer.is_preemptible:
        maps.count_up(writer, Counter.HITS)
        return
    writer.module.role_macro(MapRole.COUNTERS)
    writer.emit(f"{writer.module.need('count_hit')}({writer.program.slot});")


def marked_line(line: Line, position: tuple[int, int] | None) -> str:
    """A line with its place in the program behind a mark that `render` takes off again."""
    text = "  " * line.depth + line.text
    return text if position is None else f"{text}\x01{position[0]}:{position[1]}"
