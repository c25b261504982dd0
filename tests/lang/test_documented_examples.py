"""docs/language.md is true: every example type-checks, and everything that exists is on the page."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lang.checking import check
from tracelang.builtins import BUILTINS
from tracelang.functions import FUNCTIONS
from tracelang.lowering.aggregates import MAP_FUNCTIONS
from tracelang.plan import CompileOptions
from tracelang.providers import PROVIDERS
from tracelang.report import render_diagnostics
from tracelang.words import KEYWORDS

_PAGE = (Path(__file__).parents[2] / "docs" / "language.md").read_text()
_EXAMPLES = re.findall(r"^```bpftrace\n(.*?)^```", _PAGE, re.DOTALL | re.MULTILINE)
_WITHOUT_EXAMPLE = {
    "asyncwatchpoint",  # as watchpoint, on a function's arguments
    "bench", "test",  # run in modes of their own
    "debugf",  # not for programs that stay
    "dw_ustack",  # wants a process that the session is told of
    "join", "path", "percpu_kaddr", "skboutput",  # want what the table of facts, or this kernel, hasn't
}  # fmt: skip
_PROSE = re.sub(r"^```.*?^```", "", _PAGE, flags=re.DOTALL | re.MULTILINE)
_EXPECTED = ("While loops are deprecated", "Positional parameter", "The debugf() builtin", "signed operands for")
"""What an example may be told: it shows `while`, it divides, it runs without parameters."""
_WORDS = set(re.findall(r"\w+", " ".join([*re.findall(r"`([^`]+)`", _PROSE), *_EXAMPLES])))


@pytest.mark.parametrize("example", _EXAMPLES, ids=lambda text: " ".join(text.split())[:40])
def test_example_is_a_program(example: str) -> None:
    result = check(example, CompileOptions(unsafe=True))
    assert result.typed is not None, render_diagnostics(result.diagnostics, result.sources)
    told = [item for item in result.diagnostics.items if not item.message.startswith(_EXPECTED)]
    assert not told, render_diagnostics(result.diagnostics, result.sources)


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(list(FUNCTIONS), id="functions"),
        pytest.param(list(MAP_FUNCTIONS), id="map functions"),
        pytest.param(list(BUILTINS), id="builtins"),
        pytest.param(list(KEYWORDS), id="keywords"),
        pytest.param([item.name for item in PROVIDERS], id="probes"),
    ],
)
def test_everything_that_exists_is_documented(words: list[str]) -> None:
    assert sorted(set(words) - _WORDS) == []


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(list(FUNCTIONS), id="functions"),
        pytest.param(list(MAP_FUNCTIONS), id="map functions"),
        pytest.param(list(BUILTINS), id="builtins"),
        pytest.param([item.name for item in PROVIDERS], id="probes"),
    ],
)
def test_everything_that_exists_has_an_example(words: list[str]) -> None:
    used = set(re.findall(r"\w+", " ".join(_EXAMPLES)))
    assert sorted(set(words) - used - _WITHOUT_EXAMPLE) == []
