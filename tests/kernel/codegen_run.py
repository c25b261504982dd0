"""Builds small typed trees, generates, compiles, loads and runs them once; the tests look into the maps."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from tracejob_agent.bpf.compiler import CompilerChild
from tracejob_agent.bpf.loader import LoadedPlan, load
from tracejob_agent.bpf.objects import test_run
from tracejob_agent.kernel.host_facts import HostFacts
from tracelang import ir
from tracelang.codegen import generate
from tracelang.facts import Location
from tracelang.plan import Attachment, BpfMapKind, CompileOptions, EventSpec, Plan, ProgramType
from tracelang.source import NOWHERE, Source
from tracelang.types import S64, AddressSpace, Type

AT = NOWHERE


def number(value: int, type_: Type = S64) -> ir.Constant:
    return ir.Constant(AT, type_, value)


def text(value: bytes, size: int = 0) -> ir.StringConstant:
    from tracelang.types import StringType

    return ir.StringConstant(AT, StringType(size or len(value) + 1), value)


def local(slot: int, type_: Type = S64) -> ir.Local:
    return ir.Local(AT, type_, slot)


def variable(type_: Type = S64, name: str = "x") -> ir.LocalVariable:
    return ir.LocalVariable(name, type_)


def scalar_map(name: str, value: Type = S64, kind: BpfMapKind = BpfMapKind.ARRAY) -> ir.TypedMap:
    return ir.TypedMap(name, None, value, kind, 1)


def keyed_map(
    name: str, key: Type, value: Type = S64, kind: BpfMapKind = BpfMapKind.HASH, entries: int = 64
) -> ir.TypedMap:
    return ir.TypedMap(name, key, value, kind, entries)


def set_map(name: str, value: ir.Expr, key: ir.Expr | None = None) -> ir.SetMap:
    return ir.SetMap(AT, name, key, value)


def begin(
    *body: ir.Stmt, locals: Iterable[ir.LocalVariable] = (), predicate: ir.Expr | None = None, text: str = "begin"
) -> ir.TypedProbe:
    return ir.TypedProbe(
        index=0,
        function="tj_probe_0",
        type=ProgramType.RAW_TRACEPOINT,
        attachments=(Attachment("begin", Location("begin")),),
        predicate=predicate,
        body=body,
        locals=tuple(locals),
        scoped=False,
        text=text,
        span=AT,
        context_space=AddressSpace.KERNEL,
    )


def program(
    probe: ir.TypedProbe,
    *maps: ir.TypedMap,
    events: tuple[EventSpec, ...] = (),
    subprograms: tuple[ir.TypedSubprogram, ...] = (),
    sources: tuple[Source, ...] = (),
) -> ir.TypedProgram:
    return ir.TypedProgram(maps, events, (probe,), subprograms, ("begin",), {}, sources=sources)


def plan_of(typed: ir.TypedProgram, options: CompileOptions | None = None) -> Plan:
    return generate(typed, options or CompileOptions(ring_bytes=1 << 16), HostFacts())


@contextmanager
def loaded(typed: ir.TypedProgram, options: CompileOptions | None = None) -> Iterator[LoadedPlan]:
    plan = plan_of(typed, options)
    with CompilerChild.start() as child:
        names = [name for spec in plan.programs for name in (spec.function, *spec.callbacks)]
        functions = child.compile(plan.c_source, names)
    with load(plan, functions) as live:
        yield live


@contextmanager
def ran(typed: ir.TypedProgram, options: CompileOptions | None = None) -> Iterator[LoadedPlan]:
    """Loaded and run once."""
    with loaded(typed, options) as live:
        for loaded_program in live.programs:
            test_run(loaded_program.descriptor)
        yield live


def result(live: LoadedPlan, name: str = "r", kind: str = "q") -> int:
    """The number in a map without keys; of a per-CPU map the sum."""
    values = live.by_name(name).lookup(bytes(4))
    assert values is not None
    return sum(struct.unpack_from(f"<{kind}", value)[0] for value in values)


def evaluated(
    expr: ir.Expr, *maps: ir.TypedMap, before: Iterable[ir.Stmt] = (), locals: Iterable[ir.LocalVariable] = ()
) -> int:
    """What a scalar expression gives in the kernel, as s64."""
    value = expr if expr.type == S64 else ir.Convert(AT, S64, expr)
    typed = program(begin(*before, set_map("r", value), locals=locals), scalar_map("r"), *maps)
    with ran(typed) as live:
        return result(live)


def evaluated_all(
    exprs: list[ir.Expr],
    *maps: ir.TypedMap,
    before: Iterable[ir.Stmt] = (),
    locals: Iterable[ir.LocalVariable] = (),
    options: CompileOptions | None = None,
) -> list[int]:
    """Several scalar expressions in one program, one after the other; their values as s64."""
    stores = [
        set_map("all", expr if expr.type == S64 else ir.Convert(AT, S64, expr), number(position))
        for position, expr in enumerate(exprs)
    ]
    typed = program(begin(*before, *stores, locals=locals), keyed_map("all", S64), *maps)
    with ran(typed, options) as live:
        found = {
            struct.unpack("<q", key)[0]: struct.unpack("<q", values[0])[0]
            for key, values in live.by_name("all").entries()
        }
    return [found[position] for position in range(len(exprs))]
