"""Mistakes of meaning, and what people are told: golden/semantics/NAME.bt -> NAME.txt, with the facts of a table."""

from __future__ import annotations

from pathlib import Path

import pytest

from lang.checking import check
from lang.conftest import GoldenCheck
from tracelang.report import render_diagnostics
from tracelang.source import Source

_FOLDER = Path(__file__).parent / "golden" / "semantics"


@pytest.mark.parametrize("program", sorted(_FOLDER.glob("*.bt")), ids=lambda path: path.stem)
def test_mistake_is_explained(program: Path, golden: GoldenCheck) -> None:
    text = program.read_text()
    result = check(text)
    assert result.typed is None
    golden(program.with_suffix(".txt"), render_diagnostics(result.diagnostics, [Source(program.name, text)]))


def test_every_golden_file_has_its_program() -> None:
    assert {path.stem for path in _FOLDER.glob("*.txt")} == {path.stem for path in _FOLDER.glob("*.bt")}
