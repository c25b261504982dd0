"""From text to tokens, one at a time from any offset.

The parser decides where a token is wanted: probe specifications and predicates aren't made of the tokens that
expressions are made of. So lexing is by demand (`Lexer.at(offset)`), remembers what it found, and never raises: what
is no token becomes an INVALID one that carries its message.
"""

from __future__ import annotations

import re
from enum import Enum

from tracelang.literals import LiteralProblem, integer_value, string_value
from tracelang.source import Span
from tracelang.structs import Struct


class TokenKind(Enum):
    IDENTIFIER = "identifier"
    INTEGER = "integer"
    STRING = "string"
    VARIABLE = "variable"
    MAP = "map"
    POSITIONAL = "positional parameter"
    COUNT = "$#"
    PUNCTUATION = "punctuation"
    END = "end of the program"
    INVALID = "invalid"


class Token(Struct, frozen=True):
    """`text` as written; `number` and `string` the values of literals, `problem` what is wrong with an INVALID one."""

    kind: TokenKind
    start: int
    end: int
    text: str
    number: int = 0
    string: str = ""
    problem: LiteralProblem | None = None


_TRIVIA = re.compile(r"(?:[ \t\r\n\f\v]+|//[^\n]*|/\*.*?\*/)+", re.DOTALL)
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_INTEGER = re.compile(r"[0-9][0-9A-Za-z_]*")
_STRING = re.compile(r'"((?:\\.|[^"\\\n])*)"')
_MAP = re.compile(r"@(?:[A-Za-z_][A-Za-z0-9_]*)?")
_PUNCTUATION = re.compile(
    r"<<=|>>=|\.\.\.|<<|>>|<=|>=|==|!=|&&|\|\||\+\+|--|->|\.\.|\+=|-=|\*=|/=|%=|&=|\|=|\^=|[-+*/%&|^!~<>=?:;,.(){}\[\]]"
)


class Lexer:
    """Tokens of one text. Offsets outside the text are its end."""

    def __init__(self, text: str, source: int = 0) -> None:
        self.text = text
        self.source = source
        self._known: dict[int, Token] = {}

    def at(self, offset: int) -> Token:
        """The first token that starts at or after `offset`, behind blanks and comments."""
        token = self._known.get(offset)
        if token is None:
            token = self._known[offset] = self._lex(self.skip_trivia(offset))
        return token

    def skip_trivia(self, offset: int) -> int:
        trivia = _TRIVIA.match(self.text, offset)
        return trivia.end() if trivia else offset

    def span(self, token: Token) -> Span:
        return Span(token.start, token.end, self.source)

    def _lex(self, start: int) -> Token:
        text = self.text
        if start >= len(text):
            return Token(TokenKind.END, len(text), len(text), "")
        char = text[start]
        if char == "_" or (char.isascii() and char.isalpha()):
            return self._found(TokenKind.IDENTIFIER, _IDENTIFIER, start)
        if char.isascii() and char.isdigit():
            return self._integer(start)
        match char:
            case "$":
                return self._dollar(start)
            case "@":
                return self._found(TokenKind.MAP, _MAP, start)
            case '"':
                return self._string(start)
        if text.startswith("/*", start):
            return self._invalid(
                start, start + 2, "this comment is never closed", hint="end it with '*/'", found=len(text)
            )
        if _PUNCTUATION.match(text, start):
            return self._found(TokenKind.PUNCTUATION, _PUNCTUATION, start)
        hint = "strings are written in double quotes" if char in "'`“”‘’" else ""
        shown = char if char.isprintable() else f"\\x{ord(char):02x}"
        return self._invalid(start, start + 1, f"'{shown}' means nothing here", hint=hint)

    def _found(self, kind: TokenKind, pattern: re.Pattern[str], start: int) -> Token:
        found = pattern.match(self.text, start)
        end = found.end() if found else start + 1
        return Token(kind, start, end, self.text[start:end])

    def _integer(self, start: int) -> Token:
        # `1..5` and `$x.0.1` have dots behind digits; the language has no fractions, so a dot never belongs to it.
        found = self._found(TokenKind.INTEGER, _INTEGER, start)
        try:
            value = integer_value(found.text)
        except LiteralProblem as problem:
            return Token(TokenKind.INVALID, start, found.end, found.text, problem=problem)
        return Token(TokenKind.INTEGER, start, found.end, found.text, number=value)

    def _dollar(self, start: int) -> Token:
        text = self.text
        if text.startswith("$#", start):
            return Token(TokenKind.COUNT, start, start + 2, "$#")
        if name := _IDENTIFIER.match(text, start + 1):
            return Token(TokenKind.VARIABLE, start, name.end(), text[start : name.end()])
        digits = re.compile(r"[0-9]+").match(text, start + 1)
        if digits is None:
            return self._invalid(start, start + 1, "'$' needs a name or a number behind it", hint="as in $x, $1 or $#")
        spelled = text[start : digits.end()]
        number = int(digits[0]) if len(digits[0]) < 20 else 0
        if not 0 < number < 1 << 63:
            return self._invalid(
                start, digits.end(), f"there is no parameter {spelled}", hint="parameters are counted from $1"
            )
        return Token(TokenKind.POSITIONAL, start, digits.end(), spelled, number=number)

    def _string(self, start: int) -> Token:
        found = _STRING.match(self.text, start)
        if found is None:
            line_end = self.text.find("\n", start)
            end = len(self.text) if line_end < 0 else line_end
            return self._invalid(
                start, end, "this string is never closed", hint="it must end with '\"' on the line where it starts"
            )
        try:
            value = string_value(found[1])
        except LiteralProblem as problem:
            inside = LiteralProblem(problem.message, start=problem.start + 1, end=problem.end + 1, hint=problem.hint)
            return Token(TokenKind.INVALID, start, found.end(), found[0], problem=inside)
        return Token(TokenKind.STRING, start, found.end(), found[0], string=value)

    def _invalid(self, start: int, end: int, message: str, *, hint: str, found: int | None = None) -> Token:
        problem = LiteralProblem(message, start=0, end=end - start, hint=hint)
        stop = end if found is None else found
        return Token(TokenKind.INVALID, start, stop, self.text[start:stop], problem=problem)
