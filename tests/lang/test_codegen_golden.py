"""The C of whole programs, as a person reads it: golden/codegen/NAME.bt -> NAME.c, on the machine of facts_table."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lang.conftest import GoldenCheck
from lang.facts_table import TableFacts
from tracelang.compiler import compile_program
from tracelang.plan import CompileOptions, EventKind, ScopeOptions

_FOLDER = Path(__file__).parent / "golden" / "codegen"


@pytest.mark.parametrize("program", sorted(_FOLDER.glob("*.bt")), ids=lambda path: path.stem)
def test_program_becomes_c(program: Path, golden: GoldenCheck) -> None:
    options = CompileOptions(scope=ScopeOptions("cgroups", 4))
    plan = compile_program(program.read_text(), facts=TableFacts(), options=options).plan
    golden(program.with_suffix(".c"), plan.c_source)


def test_every_golden_file_has_its_program() -> None:
    assert {path.stem for path in _FOLDER.glob("*.c")} == {path.stem for path in _FOLDER.glob("*.bt")}


def test_the_same_program_makes_the_same_plan() -> None:
    text = (_FOLDER / "printing.bt").read_text()
    first, second = (compile_program(text, facts=TableFacts()).plan for _ in range(2))
    assert first == second


def test_lines_of_the_c_point_to_the_program() -> None:
    plan = compile_program("begin {\n  @a = 1;\n  @b = 2;\n}", facts=TableFacts()).plan
    lines = plan.c_source.split("\n")
    places = {lines[number - 1].strip(): where for number, where in plan.line_map.items()}
    assert places["/* @b = 2 */"] == (3, 3)
    assert all(1 <= number <= len(lines) for number in plan.line_map)


def test_a_full_map_is_told_by_an_event_of_its_own_where_places_differ() -> None:
    """The two tracepoints have their arguments in different places: the body is written twice."""
    text = """
    tracepoint:syscalls:sys_enter_open, tracepoint:syscalls:sys_enter_openat { @name[pid] = args.filename; }
    tracepoint:syscalls:sys_enter_creat { printf("%s", str(args.filename)); }
    """
    plan = compile_program(text, facts=TableFacts(), options=CompileOptions(interactive=True)).plan
    numbers = [int(number) for number in re.findall(r"struct event_(\d+) failure", plan.c_source)]
    assert len(numbers) == 2
    assert {plan.events[number].kind for number in numbers} == {EventKind.RUNTIME_ERROR}
