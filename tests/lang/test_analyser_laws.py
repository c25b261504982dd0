"""Laws of the analyser: a program gets types or diagnostics, never an exception; what has types becomes C."""

from __future__ import annotations

import re
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lang.checking import check
from lang.facts_table import TableFacts
from tracelang.codegen import generate
from tracelang.diagnostics import ProgramError
from tracelang.plan import CompileOptions

_TOKEN = re.compile(
    r'"(?:\\.|[^"\\])*"|[A-Za-z_]\w*|\$\w+|@\w*|\d+|\s+|->|\+\+|--|&&|\|\||[<>=!]=|<<|>>|\.\.|.', re.DOTALL
)
_LANGUAGE = Path(__file__).parent.parent / "language" / "cases"
_PROGRAMS = [
    *(
        match[1]
        for path in sorted(_LANGUAGE.glob("*.txt"))
        for match in re.finditer(r"^PROG +(.*(?:\n[ \t]+.*)*)", path.read_text(), re.MULTILINE)
    ),
    *(path.read_text() for path in sorted((Path(__file__).parent / "golden" / "semantics").glob("*.bt"))),
]
_WORDS = sorted({token for program in _PROGRAMS for token in _TOKEN.findall(program) if not token.isspace()})
_OPTIONS = CompileOptions(unsafe=True, positional=("1", "a"))
# What the generator says of kernels with fewer types, as this table's is.
_KERNEL_LACKS = re.compile("this kernel|no struct|by build id")


@st.composite
def damaged_programs(draw: st.DrawFn) -> str:
    """A real program with up to three tokens replaced, left out or put in."""
    tokens = _TOKEN.findall(draw(st.sampled_from(_PROGRAMS)))
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(tokens) - 1))
        new = draw(st.lists(st.sampled_from(_WORDS), max_size=1))
        tokens[at : at + draw(st.integers(0, 1))] = new
        if not tokens:
            return ""
    return "".join(tokens)


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(damaged_programs())
def test_program_gets_types_or_diagnostics(text: str) -> None:
    result = check(text, _OPTIONS)
    assert (result.typed is None) == result.diagnostics.failed
    if result.typed is None:
        return
    try:
        generate(result.typed, _OPTIONS, TableFacts())
    except ProgramError as error:
        messages = [item.message for item in error.diagnostics.items]
        assert all(_KERNEL_LACKS.search(message) for message in messages), messages


def test_the_programs_themselves_have_types() -> None:
    typed = [program for program in _PROGRAMS if check(program, _OPTIONS).typed is not None]
    assert len(typed) > len(_PROGRAMS) // 3
