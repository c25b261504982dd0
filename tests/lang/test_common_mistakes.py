"""The common mistakes: what people are told, next to what bpftrace 0.27.1 says of the same program.

Each has three files in golden/: NAME.bt, NAME.txt (ours, held by test_diagnostics_golden and test_semantics_golden),
and NAME.upstream, recorded once by running the program, on a machine that isn't the tests' table of facts.
"""

from __future__ import annotations

from pathlib import Path

import pytest

_GOLDEN = Path(__file__).parent / "golden"

_MISTAKES = {
    "unclosed brace": "diagnostics/unclosed_brace_at_end",
    "missing comma": "diagnostics/missing_comma_in_call",
    "missing end of a comment": "diagnostics/missing_end_of_comment",
    "binary garbage": "diagnostics/binary_garbage",
    "misspelled function": "semantics/misspelled_function",
    "misspelled builtin": "semantics/misspelled_builtin",
    "misspelled probe type": "semantics/misspelled_probe_type",
    "misspelled tracepoint": "semantics/misspelled_tracepoint",
    "undefined map": "semantics/undefined_map",
    "a map changes its type": "semantics/map_changes_type",
    "comparing a string with a number": "semantics/comparing_text_with_number",
    "retval in a uprobe": "semantics/retval_in_uprobe",
    "wrong number of printf arguments": "semantics/printf_too_few",
    "wrong type of a printf argument": "semantics/printf_wrong_type",
    "bad positional parameter": "semantics/positional_zero",
    "unknown struct": "semantics/unknown_struct",
    "unknown field": "semantics/misspelled_member",
    "division by zero": "semantics/division_by_zero",
    "too deep stack": "semantics/too_deep_stack",
    "too many probes": "semantics/too_many_probes",
    "unknown config": "semantics/unknown_config",
    "unsafe function": "semantics/unsafe_function",
    "empty program": "semantics/empty_program",
}

_WITH_HINT = ("misspelled", "unknown", "missing comma", "retval", "empty", "unsafe", "too many")
"""Mistakes of which one can say what to try."""


@pytest.mark.parametrize("mistake", _MISTAKES)
def test_one_cause_is_one_error(mistake: str) -> None:
    ours, upstream = (_text(mistake, suffix) for suffix in (".txt", ".upstream"))
    assert upstream
    assert _errors(ours) == 1, ours
    assert "stdlib/" not in ours


@pytest.mark.parametrize("mistake", [name for name in _MISTAKES if name.startswith(_WITH_HINT)])
def test_what_to_try_is_said(mistake: str) -> None:
    assert "\nHINT: " in _text(mistake, ".txt")


def _text(mistake: str, suffix: str) -> str:
    return (_GOLDEN / _MISTAKES[mistake]).with_suffix(suffix).read_text()


def _errors(text: str) -> int:
    return sum(": ERROR: " in line or line.startswith("ERROR: ") for line in text.splitlines())
