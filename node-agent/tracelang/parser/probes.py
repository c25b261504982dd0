"""Probes: attach points as written, a predicate, a block.

An attach point isn't made of tokens: it runs to a blank, a comma or a brace, with quoted stretches that may hold
anything. It is split at the colons outside of quotes; what the parts mean is the provider's business.
"""

from __future__ import annotations

import re

from tracelang import nodes
from tracelang.lexer import Token, TokenKind
from tracelang.literals import LiteralProblem, string_value
from tracelang.parser.statements import StatementParser
from tracelang.source import Span

_STRETCH = re.compile(r'"(?:\\.|[^"\\\n])*"|[^\s,{"]')
_PIECE = re.compile(r'"((?:\\.|[^"\\\n])*)"|\$([0-9]+)|(:)|((?:\\.)|.)', re.DOTALL)


class ProbeParser(StatementParser):
    """Rules for whole probes; `positional` are the command line's parameters."""

    def __init__(self, text: str, source: int = 0, positional: tuple[str, ...] = ()) -> None:
        super().__init__(text, source)
        self.positional = positional

    def parse_probe(self) -> nodes.Probe:
        start = self.here()
        name = ""
        if self.at_kind(TokenKind.IDENTIFIER) and self.next_is("="):
            name = self.advance().text
            self.advance()
        attach_points = self.parse_attach_points()
        predicate = self.parse_predicate() if self.at("/") else None
        if not self.at("{"):
            self._fail_without_block(attach_points, predicate)
        body = self.parse_block()
        return nodes.Probe(self.since(start), attach_points, predicate, body, name)

    def _fail_without_block(
        self, attach_points: tuple[nodes.AttachPoint, ...], predicate: nodes.Expression | None
    ) -> None:
        if attach_points[0].provider in ("if", "while", "for", "unroll", "printf", "print", "return"):
            hint = "statements stand inside of a probe's braces: begin { ... }"
            self.fail("expected a probe", attach_points[0].span, hint=hint)
        what = "the predicate" if predicate is not None else f"'{attach_points[-1].text}'"
        hint = ""
        if predicate is None and len(attach_points) == 1 and (self.at_kind(TokenKind.IDENTIFIER) or self.at(":")):
            hint = "a probe is written without blanks; several are separated by ','"
        self.fail_here(f"expected '{{' after {what}", hint=hint)

    def parse_attach_points(self) -> tuple[nodes.AttachPoint, ...]:
        points = [self._parse_attach_point()]
        while self.at(","):
            self.advance()
            if self.at("{", "/") or self.at_kind(TokenKind.END):
                break
            points.append(self._parse_attach_point())
        return tuple(points)

    def _parse_attach_point(self) -> nodes.AttachPoint:
        start = self.token.start
        end = start
        while stretch := _STRETCH.match(self.text, end):
            end = stretch.end()
        written = self.text[start:end]
        if not written or written.startswith("/") or not (written[0].isalpha() or written[0] in '*?!"_$['):
            inside = self.token.kind in (TokenKind.VARIABLE, TokenKind.MAP)
            self.fail_here("expected a probe", hint="statements stand inside of a probe's braces" if inside else "")
        if self.text[end : end + 1] == '"':
            self.fail("this quote is never closed", Span(end, end + 1, self.source), hint="end it with '\"'")
        span = Span(start, end, self.source)
        parts = self._split(written, span)
        self.previous = Token(TokenKind.PUNCTUATION, start, end, written)
        self.jump(end)
        return nodes.AttachPoint(span, parts[0], parts, ":".join(parts))

    def _split(self, written: str, span: Span) -> tuple[str, ...]:
        """The parts between colons: quotes removed, `$1` replaced by the parameter, whose colons count too."""
        parts: list[list[str]] = [[]]
        for piece in _PIECE.finditer(written):
            quoted, parameter, colon, other = piece.groups()
            if colon:
                parts.append([])
            elif parameter:
                first, *more = self._parameter(parameter, span, piece.start()).split(":")
                parts[-1].append(first)
                parts.extend([part] for part in more)  # `$1` may be a whole probe: "interval:s:1"
            elif quoted is not None:
                parts[-1].append(_unquoted(quoted))
            else:
                parts[-1].append(other)
        return tuple("".join(part) for part in parts)

    def _parameter(self, digits: str, span: Span, offset: int) -> str:
        number = int(digits) if len(digits) < 10 else 0
        if number == 0:
            start = span.start + offset
            self.fail(
                f"there is no parameter ${digits}",
                Span(start, start + 1 + len(digits), self.source),
                hint="parameters are counted from $1",
            )
        return self.positional[number - 1] if number <= len(self.positional) else ""

    def parse_predicate(self) -> nodes.Expression:
        """`/ expression /`: closed by the '/' in front of the block."""
        self.expect("/")
        self.in_predicate = True
        expression = self.parse_expression()
        self.in_predicate = False
        if self.at("="):
            self.fail("'=' assigns; it can't stand in a predicate", self.here(), hint="compare with '=='")
        self.expect("/", "at the end of the predicate", hint="a predicate stands between two slashes")
        return expression


def _unquoted(quoted: str) -> str:
    try:
        return string_value(quoted)
    except LiteralProblem:
        return quoted  # a pattern with backslashes of its own
