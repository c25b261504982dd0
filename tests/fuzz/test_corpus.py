"""Every input that the fuzzer once found worth keeping holds the laws of the language's front."""

from __future__ import annotations

from pathlib import Path

import pytest

from fuzz.front import hold_the_laws

_CORPUS = sorted((Path(__file__).parent / "corpus").iterdir())
_GOLDEN = sorted((Path(__file__).parents[1] / "lang" / "golden").rglob("*.bt"))


@pytest.mark.parametrize("path", [*_CORPUS, *_GOLDEN], ids=lambda path: path.name)
def test_input_holds_the_laws(path: Path) -> None:
    hold_the_laws(path.read_bytes())
