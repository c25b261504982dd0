"""Type names: `uint64`, `struct foo **`, `string[16]`, `uint8[8]`, `unsigned long`, `typeof(x)`, `(int64, string)`."""

from __future__ import annotations

from tracelang import nodes
from tracelang.lexer import Token, TokenKind
from tracelang.parser.cursor import Cursor
from tracelang.source import Span
from tracelang.words import (
    C_TYPE_WORDS,
    CAST_TYPE_WORDS,
    KEYWORDS,
    QUALIFIERS,
    SIZED_TYPE_WORDS,
    TAG_WORDS,
    is_builtin_value,
)

_LOOKAHEAD = 1000
"""Tokens looked at behind `typeof(`: unbounded, nested ones would take quadratic time."""


class TypeParser(Cursor):
    """The rules for types, and looking ahead whether one stands here."""

    def parse_expression(self) -> nodes.Expression:
        raise NotImplementedError  # ExpressionParser's: types and expressions contain each other through typeof()

    def parse_type(self) -> nodes.TypeName:
        start = self.here()
        self._skip_qualifiers()
        type_ = self._parse_stars_and_sizes(start, self._parse_base_type(start))
        while self.at("*"):
            # `int32[4] *` points to arrays, while a TypeName's own stars come before its sizes.
            whole = nodes.TypeName(type_.span, name="typeof", of=nodes.TypeExpression(type_.span, type_))
            type_ = self._parse_stars_and_sizes(start, whole)
        return type_

    def _parse_stars_and_sizes(self, start: Span, base: nodes.TypeName) -> nodes.TypeName:
        self._skip_qualifiers()
        if base.dimensions:
            return base
        pointers = base.pointers
        while self.accept("*"):
            pointers += 1
            self._skip_qualifiers()
        dimensions, parameter = base.dimensions, base.parameter
        while self.at("["):
            size = self._parse_dimension()
            if base.name in SIZED_TYPE_WORDS and not pointers and parameter is None and not dimensions:
                parameter = size
            else:
                dimensions += (size,)
        return nodes.TypeName(
            self.since(start),
            name=base.name,
            pointers=pointers,
            dimensions=dimensions,
            parameter=parameter,
            elements=base.elements,
            of=base.of,
        )

    def _parse_base_type(self, start: Span) -> nodes.TypeName:
        if self.at("("):
            return self._parse_tuple_type(start)
        if self.at("typeof"):
            return self.parse_typeof()
        word = self.expect_kind(TokenKind.IDENTIFIER, "a type")
        if word.text in TAG_WORDS:
            tag = self.expect_kind(TokenKind.IDENTIFIER, f"the name of the {word.text}")
            return nodes.TypeName(self.since(start), name=f"{word.text} {tag.text}")
        if word.text in KEYWORDS:
            self.fail(f"expected a type, found the keyword '{word.text}'", self.span_of(word))
        words = [word.text]
        if word.text in C_TYPE_WORDS:
            while self.at_kind(TokenKind.IDENTIFIER) and self.token.text in C_TYPE_WORDS | QUALIFIERS:
                taken = self.advance().text
                if taken not in QUALIFIERS:
                    words.append(taken)
        return nodes.TypeName(self.since(start), name=" ".join(words))

    def _parse_tuple_type(self, start: Span) -> nodes.TypeName:
        self.enter()
        self.open("(")
        elements: list[nodes.TypeName] = []
        while not self.at(")"):
            elements.append(self.parse_type())
            if not self.accept(","):
                break
        self.close(")")
        self.leave()
        return nodes.TypeName(self.since(start), name="tuple", elements=tuple(elements))

    def parse_typeof(self) -> nodes.TypeName:
        """`typeof(type)` is the type; `typeof(expression)` a type named "typeof" with `of`."""
        start = self.here()
        self.expect("typeof")
        self.open("(", "after 'typeof'")
        operand = self.parse_type_or_expression()
        self.close(")")
        if isinstance(operand, nodes.TypeName):
            return operand
        return nodes.TypeName(self.since(start), name="typeof", of=operand)

    def parse_type_or_expression(self) -> nodes.TypeName | nodes.Expression:
        """What sizeof(), offsetof() and typeof() take. A lone name stays an Identifier: only the analyser knows."""
        if self.at_type_word():
            return self.parse_type()
        end = self.scan_type(self.token)
        if end is not None and end.text in (")", ",") and not is_builtin_value(self.token.text):
            if self.at("typeof") or self.peek().text in ("*", "["):
                return self.parse_type()
        return self.parse_expression()

    def _parse_dimension(self) -> int | None:
        self.open("[")
        size = self.advance().number if self.at_kind(TokenKind.INTEGER) else None
        self.close("]")
        return size

    def _skip_qualifiers(self) -> None:
        while self.at(*QUALIFIERS):
            self.advance()

    def at_type_word(self) -> bool:
        """Whether the current token can only begin a type."""
        if not self.at_kind(TokenKind.IDENTIFIER):
            return False
        if self.token.text in TAG_WORDS:
            return self.peek().kind is TokenKind.IDENTIFIER
        if self.at("typeof"):
            return False
        return self.token.text in CAST_TYPE_WORDS and not self.next_is("(")

    # --- looking ahead, without taking anything

    def scan_type(self, token: Token) -> Token | None:
        """The token behind a type that starts at `token`; None when no type starts there."""
        while token.text in QUALIFIERS:
            token = self.peek(token)
        if token.kind is not TokenKind.IDENTIFIER:
            return None
        word = token.text
        token = self.peek(token)
        if word == "typeof":
            scanned = self._scan_brackets(token)
            if scanned is None:
                return None
            token = scanned
        elif word in TAG_WORDS:
            if token.kind is not TokenKind.IDENTIFIER:
                return None
            token = self.peek(token)
        elif word in C_TYPE_WORDS:
            while token.text in C_TYPE_WORDS or token.text in QUALIFIERS:
                token = self.peek(token)
        elif word in KEYWORDS:
            return None
        while token.text in ("*", "[") or token.text in QUALIFIERS:
            if token.text == "[":
                token = self.peek(token)
                if token.kind is TokenKind.INTEGER:
                    token = self.peek(token)
                if token.text != "]":
                    return None
            token = self.peek(token)
        return token

    def _scan_brackets(self, token: Token) -> Token | None:
        if token.text != "(":
            return None
        level = 0
        for _ in range(_LOOKAHEAD):
            if token.kind in (TokenKind.END, TokenKind.INVALID):
                break
            if token.kind is TokenKind.PUNCTUATION:
                level += (token.text == "(") - (token.text == ")")
            token = self.peek(token)
            if level == 0:
                return token
        return None
