"""What must hold for any bytes that are given as a program; shared by the fuzzer and by the test of its corpus."""

from __future__ import annotations

from lang.facts_table import TableFacts
from tracelang.compiler import check_program
from tracelang.parser import parse
from tracelang.printer import print_program
from tracelang.recursion import room_to_recurse
from tracelang.report import render_diagnostics
from tracelang.visitor import without_spans

LONGEST = 4096
"""Bytes; what is longer is only slower."""


def hold_the_laws(data: bytes) -> None:
    """No exception, a reason for every refusal, and the printed tree parses to itself."""
    text = data[:LONGEST].decode("utf-8", "surrogateescape")
    program, diagnostics = parse(text)
    if (program is None) != diagnostics.failed:
        raise AssertionError("a refusal without a reason, or a tree with errors")
    if program is not None:
        with room_to_recurse():
            printed = print_program(program)
            again, problems = parse(printed, positional=())
            if again is None:
                raise AssertionError(f"the printed program doesn't parse: {problems.items[0].message}\n{printed}")
            if print_program(again) != printed:
                raise AssertionError(f"the printed program prints differently:\n{printed}\n{print_program(again)}")
            if "$" not in text and without_spans(again) != without_spans(program):
                raise AssertionError(f"the printed program is another one:\n{printed}")
    result = check_program(text, facts=TableFacts())
    if (result.typed is None) != result.diagnostics.failed:
        raise AssertionError("the type check refuses without a reason, or passes with errors")
    render_diagnostics(result.diagnostics, result.sources)
