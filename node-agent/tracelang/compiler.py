"""The one entry of the compiler: text and facts in; a typed tree, a plan, or diagnostics out."""

from __future__ import annotations

from tracelang import ir, nodes
from tracelang.diagnostics import Diagnostics, ProgramError
from tracelang.facts import Facts
from tracelang.parser import parse as parse_text
from tracelang.passes.type_program import type_program
from tracelang.plan import CompileOptions, Plan
from tracelang.prepare import prepare
from tracelang.recursion import room_to_recurse
from tracelang.source import Source
from tracelang.structs import Struct, replace


class CompileResult(Struct, frozen=True):
    """`diagnostics` holds warnings; `sources` what their spans point into."""

    plan: Plan
    diagnostics: Diagnostics
    sources: tuple[Source, ...]


class CheckResult(Struct, frozen=True):
    """`typed` None: the diagnostics say why."""

    typed: ir.TypedProgram | None
    diagnostics: Diagnostics
    sources: tuple[Source, ...]


def parse(text: str, name: str = "stdin") -> tuple[nodes.Program | None, Diagnostics]:
    """The tree as written; None when there are errors."""
    return parse_text(text, name)


def analyse(
    program: nodes.Program,
    facts: Facts,
    options: CompileOptions,
    *,
    sources: tuple[Source, ...] = (),
    diagnostics: Diagnostics | None = None,
) -> ir.TypedProgram:
    """The typed tree of a program whose macros are expanded. Raises ProgramError."""

    with room_to_recurse():
        return type_program(
            program,
            facts,
            options,
            sources=sources,
            diagnostics=diagnostics if diagnostics is not None else Diagnostics(),
        )


def compile_program(
    text: str, *, name: str = "stdin", facts: Facts, options: CompileOptions | None = None
) -> CompileResult:
    """The plan. Raises ProgramError with all that is wrong with the program."""
    from tracelang.codegen import generate

    wanted = options or CompileOptions()
    sources = [Source(name, text)]
    typed, diagnostics = _front(text, name, sources, facts, wanted)
    typed = replace(typed, sources=tuple(sources))
    return CompileResult(generate(typed, wanted, facts), diagnostics, tuple(sources))


def check_program(
    text: str, *, name: str = "stdin", facts: Facts, options: CompileOptions | None = None
) -> CheckResult:
    """Types without code: what `check` shows. Never raises for a mistake in the program."""
    sources = [Source(name, text)]
    try:
        typed, diagnostics = _front(text, name, sources, facts, options or CompileOptions())
    except ProgramError as error:
        return CheckResult(None, error.diagnostics, tuple(sources))
    return CheckResult(typed, diagnostics, tuple(sources))


def _front(
    text: str, name: str, sources: list[Source], facts: Facts, options: CompileOptions
) -> tuple[ir.TypedProgram, Diagnostics]:
    """Raises ProgramError, with the sources that its spans point into."""
    try:
        program, diagnostics = parse_text(text, name, options.positional)
        if program is None or diagnostics.failed:
            raise ProgramError(diagnostics)
        program = prepare(program, sources=sources, facts=facts, diagnostics=diagnostics, positional=options.positional)
        if diagnostics.failed:
            raise ProgramError(diagnostics)
        return analyse(program, facts, options, sources=tuple(sources), diagnostics=diagnostics), diagnostics
    except ProgramError as error:
        error.sources = tuple(sources)
        raise
