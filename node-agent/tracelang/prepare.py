"""From the tree as written to the tree as meant: files brought in, #defines and macros expanded."""

from __future__ import annotations

from tracelang import nodes
from tracelang.diagnostics import Diagnostics
from tracelang.facts import Facts
from tracelang.passes.expand_defines import expand_defines
from tracelang.passes.expand_macros import expand_macros
from tracelang.passes.resolve_imports import resolve_imports
from tracelang.recursion import room_to_recurse
from tracelang.source import Source


def prepare(
    program: nodes.Program,
    *,
    sources: list[Source],
    facts: Facts,
    diagnostics: Diagnostics,
    include_directories: tuple[str, ...] = (),
    positional: tuple[str, ...] = (),
) -> nodes.Program:
    """The program that the analyser reads; texts that were brought in are added to `sources`."""
    with room_to_recurse():
        program = resolve_imports(
            program,
            sources=sources,
            facts=facts,
            diagnostics=diagnostics,
            include_directories=include_directories,
            positional=positional,
        )
        if diagnostics.failed:
            return program
        program = expand_defines(program, diagnostics)
        return expand_macros(program, diagnostics)
