"""Whole programs on their way: golden/codegen/NAME.bt -> NAME.tree (as parsed) and NAME.types (as typed).

The third stage, the C, is held by test_codegen_golden.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lang.checking import typed
from lang.conftest import GoldenCheck
from tracejob_agent.cli.stages import tree
from tracelang.ir import LocalVariable, TypedProgram
from tracelang.types import name_of

_FOLDER = Path(__file__).parent / "golden" / "codegen"
_PROGRAMS = pytest.mark.parametrize("program", sorted(_FOLDER.glob("*.bt")), ids=lambda path: path.stem)


@_PROGRAMS
def test_program_becomes_a_tree(program: Path, golden: GoldenCheck) -> None:
    golden(program.with_suffix(".tree"), tree(program.read_text(), program.name))


@_PROGRAMS
def test_program_gets_types(program: Path, golden: GoldenCheck) -> None:
    golden(program.with_suffix(".types"), "".join(f"{line}\n" for line in _types(typed(program.read_text()))))


def _types(program: TypedProgram) -> Iterator[str]:
    for item in program.maps:
        key = f"[{name_of(item.key)}]" if item.key is not None else ""
        yield f"@{item.name}{key}: {name_of(item.value)} ({item.kind.name.lower()} of {item.max_entries})"
    for event in program.events:
        yield f"{event.kind.value}({', '.join(name_of(field.type) for field in event.fields)})"
    for probe in program.probes:
        yield f"{probe.text}: {len(probe.attachments)} as {probe.type.name.lower()}"
        yield from _variables(probe.locals)
    for function in program.subprograms:
        yield f"{function.name}(): {name_of(function.result)}"
        yield from _variables(function.locals)


def _variables(variables: tuple[LocalVariable, ...]) -> Iterator[str]:
    for variable in variables:
        yield f"  ${variable.name}: {name_of(variable.type)}"
