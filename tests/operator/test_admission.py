"""What is refused before any agent starts."""

from __future__ import annotations

import pytest

from tracejob_api.reasons import Reason
from tracejob_api.spec import Program, Target, TraceJobSpec
from tracejob_operator.admission import review


def _spec(program: Program, *, assertions: tuple[str, ...] = ()) -> TraceJobSpec:
    return TraceJobSpec(target=Target(name="web"), program=program, assertions=assertions)


def test_a_program_that_parses_may_try() -> None:
    assert review(_spec(Program(inline="tracepoint:no:such { @[comm] = count(); }"))) is None


def test_a_syntax_error_is_told_with_line_and_column() -> None:
    refusal = review(_spec(Program(inline="begin {\n  @ = count(;\n}")))
    assert refusal is not None
    assert refusal.problem.reason is Reason.PROGRAM_INVALID
    assert "line 2, column 13" in refusal.problem.message
    (item,) = (item for item in refusal.diagnostics if item.severity == "error")
    assert (item.line, item.column) == (2, 13)


@pytest.mark.parametrize(
    ("program", "assertions", "reason"),
    [
        (Program(tool="opensnoop"), (), Reason.UNKNOWN_TOOL),
        (Program(inline="begin { }"), ("@x == 0",), Reason.UNSUPPORTED),
        (Program(inline="/*" + "é" * 40_000 + "*/"), (), Reason.PROGRAM_TOO_LARGE),
    ],
)
def test_what_this_version_cannot_do_is_said(program: Program, assertions: tuple[str, ...], reason: Reason) -> None:
    refusal = review(_spec(program, assertions=assertions))
    assert refusal is not None
    assert refusal.problem.reason is reason


@pytest.mark.parametrize("text", ["(" * 20_000, "begin { " + "if (1) { " * 5_000, "\x00\x1b", "}" * 100, '"' * 65_000])
def test_hostile_text_is_refused_without_a_crash(text: str) -> None:
    refusal = review(_spec(Program(inline=text)))
    assert refusal is not None
    assert refusal.problem.reason is Reason.PROGRAM_INVALID
