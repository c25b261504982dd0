"""Coverage-guided fuzzing of lexer, parser, printer, passes and type check, by atheris.

    python tests/fuzz/fuzz_front.py -max_total_time=600 NEW_CORPUS tests/fuzz/corpus

New inputs go to the first folder. What fails is written to crash-*: make it small (-minimize_crash=1), put it into
tests/fuzz/corpus under a telling name, and mend what it found; test_corpus.py runs it from then on.
"""

from __future__ import annotations

import sys
from pathlib import Path

_ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(_ROOT / "node-agent"), str(_ROOT / "tests")]

import atheris  # noqa: E402  # only for this program: pip install atheris

with atheris.instrument_imports(include=["tracelang"]):
    from fuzz.front import hold_the_laws


def main() -> None:
    atheris.Setup([*sys.argv, f"-dict={Path(__file__).parent / 'words.dict'}", "-max_len=600"], hold_the_laws)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
