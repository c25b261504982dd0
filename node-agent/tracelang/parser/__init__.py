"""The parser: from the text of a program to its tree, or to diagnostics.

Recursive descent by hand, one `parse_<construct>` per rule, in layers that build on each other: cursor (tokens, the
one way to fail), types, expressions, statements, probes, C definitions, program. Any text gives a tree or
diagnostics, never an exception.
"""

from __future__ import annotations

from tracelang import nodes
from tracelang.diagnostics import Diagnostic, Diagnostics, Severity
from tracelang.lexer import TokenKind
from tracelang.parser.c_definitions import CParser
from tracelang.parser.cursor import SyntaxProblem
from tracelang.parser.expressions import ExpressionParser
from tracelang.parser.probes import ProbeParser
from tracelang.parser.program import ProgramParser
from tracelang.parser.statements import StatementParser
from tracelang.preprocess import preprocess
from tracelang.recursion import room_to_recurse

__all__ = ["ExpressionParser", "parse", "parse_attach_points", "parse_expression", "parse_header"]


def parse(
    text: str, name: str = "stdin", positional: tuple[str, ...] = (), *, source: int = 0
) -> tuple[nodes.Program | None, Diagnostics]:
    """The tree of `text`; None when it has errors.

    `positional` replaces `$1`... in probes. `source` is the index that spans carry. `name` is only for the caller's own
    bookkeeping of sources: diagnostics point by index.
    """
    diagnostics = Diagnostics()
    prepared = preprocess(text, source=source, diagnostics=diagnostics)
    with room_to_recurse():
        program = ProgramParser(prepared.text, source, positional, diagnostics).parse_program(
            tuple(prepared.definitions)
        )
    return (None if diagnostics.failed else program), diagnostics


def parse_attach_points(
    text: str, positional: tuple[str, ...] = ()
) -> tuple[tuple[nodes.AttachPoint, ...] | None, Diagnostics]:
    """A list of probes without a block, as `-l 'tracepoint:syscalls:*'` takes it."""
    diagnostics = Diagnostics()
    parser = ProbeParser(text, 0, positional)
    try:
        points = parser.parse_attach_points()
        if not parser.at_kind(TokenKind.END):
            parser.fail_here("expected the end of the probe")
    except SyntaxProblem as problem:
        _report(diagnostics, problem)
        return None, diagnostics
    return points, diagnostics


def parse_expression(text: str, *, source: int = 0, values: frozenset[str] = frozenset()) -> nodes.Expression | None:
    """One whole expression, as a #define's text may be; None when it is none. `values`: names that aren't types."""
    parser = StatementParser(text, source)
    parser.known_values.update(values)
    try:
        with room_to_recurse():
            expression = parser.parse_expression()
    except SyntaxProblem:
        return None
    return expression if parser.at_kind(TokenKind.END) else None


def parse_header(
    text: str, *, source: int = 0, constants: dict[str, int] | None = None, defined: frozenset[str] = frozenset()
) -> tuple[nodes.CDefinition, ...]:
    """The type definitions, #defines and #includes of a C header; all else in it is skipped."""
    prepared = preprocess(text, source=source, diagnostics=Diagnostics(), defined=defined)
    parser = CParser(prepared.text, source)
    parser.constants.update(constants or {})
    for item in prepared.definitions:
        if isinstance(item, nodes.CDefine) and item.text.isdecimal():
            parser.constants[item.name] = int(item.text)
    with room_to_recurse():
        return (*prepared.definitions, *parser.parse_header())


def _report(diagnostics: Diagnostics, problem: SyntaxProblem) -> None:
    diagnostics.items.append(Diagnostic(Severity.ERROR, problem.span, problem.message, problem.hint, problem.notes))
