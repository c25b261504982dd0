"""Walking over the tokens: look, take, expect, and the one way to fail.

Everything that goes wrong ends in `Cursor.fail`, which raises `SyntaxProblem`; the program parser catches it once per
top-level item, so that one mistake gives one diagnostic.
"""

from __future__ import annotations

from tracelang.diagnostics import Note
from tracelang.lexer import Lexer, Token, TokenKind
from tracelang.recursion import MAXIMUM_DEPTH
from tracelang.source import Span

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn


class SyntaxProblem(Exception):
    """The first thing that can't be understood in one top-level item."""

    def __init__(self, span: Span, message: str, hint: str, notes: tuple[Note, ...]) -> None:
        super().__init__(message)
        self.span = span
        self.message = message
        self.hint = hint
        self.notes = notes


class Cursor:
    """The current token of a text, and what is said when it is the wrong one."""

    def __init__(self, text: str, source: int = 0) -> None:
        self.lexer = Lexer(text, source)
        self.source = source
        self.text = text
        self.token: Token = self.lexer.at(0)
        self.previous: Token = Token(TokenKind.PUNCTUATION, 0, 0, "")
        self.depth = 0
        self.open_brackets: list[Token] = []

    # --- looking

    def at(self, *texts: str) -> bool:
        """Whether the current token is one of these words or punctuation marks."""
        return self.token.text in texts and self.token.kind in (TokenKind.PUNCTUATION, TokenKind.IDENTIFIER)

    def at_kind(self, kind: TokenKind) -> bool:
        return self.token.kind is kind

    def peek(self, after: Token | None = None) -> Token:
        """The token behind `after` (the current one)."""
        return self.lexer.at((after or self.token).end)

    def next_is(self, text: str) -> bool:
        following = self.peek()
        return following.text == text and following.kind in (TokenKind.PUNCTUATION, TokenKind.IDENTIFIER)

    # --- taking

    def advance(self) -> Token:
        taken = self.token
        if taken.kind is TokenKind.INVALID:
            self.fail_here("")
        self.previous = taken
        self.token = self.lexer.at(taken.end)
        return taken

    def jump(self, offset: int) -> None:
        """Go on behind text that was read without tokens."""
        self.token = self.lexer.at(offset)

    def accept(self, text: str) -> Token | None:
        return self.advance() if self.at(text) else None

    def expect(self, text: str, where: str = "", *, hint: str = "") -> Token:
        if not self.at(text):
            self.fail_here(f"expected '{text}'{' ' + where if where else ''}", hint=hint)
        return self.advance()

    def expect_kind(self, kind: TokenKind, what: str, *, hint: str = "") -> Token:
        if self.token.kind is not kind:
            self.fail_here(f"expected {what}", hint=hint)
        return self.advance()

    def open(self, text: str, where: str = "") -> Token:
        """Take an opening bracket and remember it, so that a missing closing one can be explained."""
        bracket = self.expect(text, where)
        self.open_brackets.append(bracket)
        return bracket

    def close(self, text: str, *, hint: str = "") -> Token:
        opened = self.open_brackets[-1]
        if not self.at(text):
            if self.at("=") and text == ")" and not hint:
                hint = "'=' assigns and has no value; compare with '=='"
            self.fail_here(
                f"expected '{text}'", hint=hint, notes=(Note(self.lexer.span(opened), f"this '{opened.text}' is open"),)
            )
        self.open_brackets.pop()
        return self.advance()

    # --- bounds

    def enter(self) -> None:
        self.depth += 1
        if self.depth > MAXIMUM_DEPTH:
            self.fail(
                f"this is nested deeper than {MAXIMUM_DEPTH} levels",
                self.lexer.span(self.token),
                hint="put the inner part in a variable or a macro",
            )

    def leave(self) -> None:
        self.depth -= 1

    # --- spans

    def here(self) -> Span:
        return self.lexer.span(self.token)

    def span_of(self, token: Token) -> Span:
        return self.lexer.span(token)

    def since(self, start: Span | Token) -> Span:
        """From `start` to the last token taken."""
        begin = start.start
        return Span(begin, max(self.previous.end, begin), self.source)

    # --- failing

    def fail(self, message: str, span: Span, *, hint: str = "", notes: tuple[Note, ...] = ()) -> NoReturn:
        raise SyntaxProblem(span, message, hint, notes)

    def fail_here(self, expected: str, *, hint: str = "", notes: tuple[Note, ...] = ()) -> NoReturn:
        """Complain about the current token: its own problem if it has one, else that something else was expected."""
        token = self.token
        if token.problem is not None:
            start = token.start + token.problem.start
            span = Span(start, max(token.start + token.problem.end, start + 1), self.source)
            self.fail(token.problem.message, span, hint=token.problem.hint)
        if token.kind is TokenKind.END:
            if self.open_brackets and not notes:
                opened = self.open_brackets[-1]
                notes = (Note(self.lexer.span(opened), f"this '{opened.text}' is open"),)
            # Point behind the last thing there is, not at blank lines.
            end = self.previous.end
            self.fail(
                f"the program ends too early: {expected}",
                Span(max(end - 1, 0), end, self.source),
                hint=hint,
                notes=notes,
            )
        self.fail(f"{expected}, found {describe(token)}", self.here(), hint=hint, notes=notes)


def describe(token: Token) -> str:
    """A token as messages name it."""
    match token.kind:
        case TokenKind.END:
            return "the end of the program"
        case TokenKind.STRING:
            shown = token.text if len(token.text) <= 24 else token.text[:20] + '..."'
            return f"the string {shown}"
        case TokenKind.INTEGER:
            return f"the number {token.text}"
        case _:
            return f"'{token.text}'"
