"""Laws of the front of the language, for all programs and for all texts."""

from __future__ import annotations

import os

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lang.program_trees import expressions, programs, single_probe
from tracelang import nodes
from tracelang.lexer import Lexer, TokenKind
from tracelang.parser import parse, parse_attach_points, parse_header
from tracelang.printer import print_program
from tracelang.recursion import room_to_recurse
from tracelang.report import render_diagnostics
from tracelang.source import Source
from tracelang.visitor import without_spans

MORE = int(os.environ.get("TRACEJOB_EXAMPLES", "40"))
"""How many examples: few in the inner loop, TRACEJOB_EXAMPLES=2000 for a night."""

pytestmark = pytest.mark.filterwarnings("ignore:Generating overly large repr")

_WORDS = st.sampled_from(
    [
        *(
            "begin",
            "end",
            "kprobe:f",
            "{",
            "}",
            "(",
            ")",
            "[",
            "]",
            "/",
            ",",
            ";",
            ":",
            ".",
            "..",
            "->",
            "=",
            "==",
            "+",
        ),
        *(
            "++",
            "--",
            "-",
            "*",
            "&",
            "&&",
            "$x",
            "$1",
            "$#",
            "@",
            "@m",
            "1",
            "0x1f",
            "5ms",
            '"s"',
            '"',
            "/*",
            "*/",
            "//",
        ),
        *("\n", "if", "else", "while", "for", "unroll", "let", "macro", "struct", "union", "enum", "typedef", "config"),
        *("import", "fn", "sizeof", "offsetof", "typeof", "comptime", "uint64", "string[", "#", "#define", "#if"),
        *("#endif", "#include", "A", "pid", "printf", "!", "?", "~", "%", "<", "<<", "9", "\\", "'", "é", "\x00"),
    ]
)


def _same(program: nodes.Program) -> None:
    text = print_program(program)
    again, diagnostics = parse(text)
    assert again is not None, f"{render_diagnostics(diagnostics, [Source('printed', text)])}\n{text}"
    assert without_spans(again) == program, text


@given(expressions)
@settings(deadline=None, max_examples=MORE // 2)
def test_printed_expressions_parse_to_the_same_tree(expression: nodes.Expression) -> None:
    _same(single_probe(expression))


@given(programs)
@settings(deadline=None, max_examples=MORE // 4)
def test_printed_programs_parse_to_the_same_tree(program: nodes.Program) -> None:
    _same(program)


@given(st.text(max_size=60) | st.lists(_WORDS, max_size=25).map(" ".join))
@settings(deadline=None, max_examples=MORE * 2)
@example("begin { \ud800 }")
@example('begin { "\ud800" }')
@example("#")
@example("#define")
@example("begin { $x = 0b } /*")
def test_any_text_gives_a_tree_or_diagnostics(text: str) -> None:
    program, diagnostics = parse(text)
    assert (program is None) == diagnostics.failed
    rendered = render_diagnostics(diagnostics, [Source("t", text)])
    assert bool(rendered) == bool(diagnostics.items)
    for item in diagnostics.items:
        assert 0 <= item.span.start <= item.span.end <= len(text)


@given(st.text(max_size=60) | st.lists(_WORDS, max_size=25).map(" ".join))
@settings(deadline=None, max_examples=MORE * 2)
def test_any_text_is_lexed_to_its_end(text: str) -> None:
    lexer = Lexer(text)
    offset = 0
    while (token := lexer.at(offset)).kind is not TokenKind.END:
        assert token.end > offset
        offset = token.end


@given(st.text(max_size=60) | st.lists(_WORDS, max_size=25).map(" ".join))
@settings(deadline=None, max_examples=MORE * 2)
def test_any_text_may_stand_for_a_header_or_a_probe(text: str) -> None:
    parse_header(text)
    parse_attach_points(text)


@given(st.binary(max_size=60))
@settings(deadline=None, max_examples=MORE * 2)
def test_any_bytes_give_a_tree_or_diagnostics(data: bytes) -> None:
    program, diagnostics = parse(data.decode("utf-8", "surrogateescape"))
    assert (program is None) == diagnostics.failed


def test_deep_nesting_is_a_diagnostic() -> None:
    for opening in ("(", "{", "!", "-", "@a[", "f(", "(uint8)", "if 1 {", "comptime ", "1 ? ", "1 + (", "typeof("):
        program, diagnostics = parse("begin { $x = " + opening * 20_000)
        assert program is None
        assert len(diagnostics.items) == 1


def test_deepest_accepted_nesting_is_printed_and_parsed() -> None:
    program, _ = parse("begin { $x = " + "-(" * 60 + "1" + ")" * 60 + "; $y = " + " + ".join(["1"] * 900) + " }")
    assert program is not None
    with room_to_recurse():
        _same(without_spans(program))
