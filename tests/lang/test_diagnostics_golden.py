"""Common mistakes, and what people are told: golden/diagnostics/NAME.bt -> NAME.txt."""

from __future__ import annotations

from pathlib import Path

import pytest

from lang.conftest import GoldenCheck
from lang.files import NoFacts
from tracelang.parser import parse
from tracelang.prepare import prepare
from tracelang.report import render_diagnostics
from tracelang.source import Source

_FOLDER = Path(__file__).parent / "golden" / "diagnostics"


@pytest.mark.parametrize("program", sorted(_FOLDER.glob("*.bt")), ids=lambda path: path.stem)
def test_mistake_is_explained(program: Path, golden: GoldenCheck) -> None:
    text = program.read_text()
    sources = [Source(program.name, text)]
    tree, diagnostics = parse(text, program.name)
    if tree is not None:
        prepare(tree, sources=sources, facts=NoFacts(), diagnostics=diagnostics)
    rendered = render_diagnostics(diagnostics, sources)
    assert diagnostics.failed
    golden(program.with_suffix(".txt"), rendered)


def test_every_golden_file_has_its_program() -> None:
    assert {path.stem for path in _FOLDER.glob("*.txt")} == {path.stem for path in _FOLDER.glob("*.bt")}
