"""Preprocessor lines: taken out of a text before it is lexed, offsets unchanged.

In: a program or a C header. Out: the same text with every directive, and every line that a condition excludes,
blanked, and the `#include` and `#define` nodes in order. Conditions know `#ifdef`, `#ifndef`, `#if` on 0, 1 and
defined(NAME), `#else`, `#endif`; `BPFTRACE_HAVE_BTF` is always defined, for our types always come from BTF.
"""

from __future__ import annotations

import re

from tracelang import nodes
from tracelang.diagnostics import Diagnostics
from tracelang.source import Span
from tracelang.structs import Struct, field

PREDEFINED = frozenset(("BPFTRACE_HAVE_BTF", "__x86_64__", "__BPF__"))

_PIECES = re.compile(
    r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|(?P<line>^[ \t]*\#(?:\\\r?\n|/\*.*?\*/|[^\n])*)',
    re.DOTALL | re.MULTILINE,
)
_DIRECTIVE = re.compile(r"\s*\#\s*([A-Za-z_]*)(.*)", re.DOTALL)
_DEFINE = re.compile(r"\s*([A-Za-z_][A-Za-z0-9_]*)(\(([^)]*)\))?(.*)", re.DOTALL)
_INCLUDE = re.compile(r'\s*(?:<([^>]*)>|"([^"]*)")')
_COMMENTS = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)
_IGNORED = frozenset(("pragma", "line", "error", "warning", "ident"))


class _Condition(Struct):
    """An open #if: whether its lines count now, whether a branch was taken already, and where it starts."""

    active: bool
    taken: bool
    enclosing: bool
    span: Span


class Preprocessed(Struct):
    text: str
    definitions: list[nodes.CInclude | nodes.CDefine] = field(default_factory=list)


def preprocess(
    text: str, *, source: int, diagnostics: Diagnostics, defined: frozenset[str] = frozenset()
) -> Preprocessed:
    """Blank the directives of `text` and collect what they say."""
    if "#" not in text:
        return Preprocessed(text)
    return _Preprocessor(text, source, diagnostics, set(PREDEFINED | defined)).run()


class _Preprocessor:
    def __init__(self, text: str, source: int, diagnostics: Diagnostics, defined: set[str]) -> None:
        self.text = text
        self.source = source
        self.diagnostics = diagnostics
        self.defined = defined
        self.conditions: list[_Condition] = []
        self.definitions: list[nodes.CInclude | nodes.CDefine] = []
        self.kept: list[str] = []
        self.position = 0

    @property
    def active(self) -> bool:
        return not self.conditions or self.conditions[-1].active

    def run(self) -> Preprocessed:
        for piece in _PIECES.finditer(self.text):
            if piece["line"] is None:
                continue
            self._keep(piece.start())
            line = piece[0]
            indent = len(line) - len(line.lstrip())
            span = Span(piece.start() + indent, piece.start() + len(line.rstrip()), self.source)
            if not (piece.start() == 0 and line.startswith("#!")):
                self._directive(line, span)
            self.kept.append(blanked(line))
            self.position = piece.end()
        self._keep(len(self.text))
        for condition in self.conditions[-1:]:
            self.diagnostics.error(condition.span, "this condition is never closed", hint="end it with #endif")
        return Preprocessed("".join(self.kept), self.definitions)

    def _keep(self, end: int) -> None:
        stretch = self.text[self.position : end]
        self.kept.append(stretch if self.active else blanked(stretch))
        self.position = end

    def _directive(self, line: str, span: Span) -> None:
        found = _DIRECTIVE.fullmatch(line)
        word, rest = (found[1], found[2]) if found else ("", "")
        rest = _COMMENTS.sub(" ", rest).replace("\\\r\n", " ").replace("\\\n", " ").strip()
        match word:
            case "ifdef" | "ifndef":
                self._open(span, (rest in self.defined) == (word == "ifdef"))
            case "if":
                self._open(span, self._holds(rest))
            case "elif" | "else" | "endif":
                self._turn(word, rest, span)
            case _ if not self.active or word in _IGNORED or (not word and not rest):
                return
            case "include":
                self._include(rest, span)
            case "define":
                self._define(rest, span)
            case "undef":
                self.defined.discard(rest)
                self.definitions = [
                    item for item in self.definitions if not (isinstance(item, nodes.CDefine) and item.name == rest)
                ]
            case _:
                self.diagnostics.error(
                    span, f"'#{word}' is not known", hint="#include, #define, #undef and conditions are"
                )

    def _open(self, span: Span, holds: bool) -> None:
        enclosing = self.active
        self.conditions.append(_Condition(enclosing and holds, holds, enclosing, span))

    def _turn(self, word: str, rest: str, span: Span) -> None:
        if not self.conditions:
            self.diagnostics.error(span, f"'#{word}' without an #if")
            return
        if word == "endif":
            self.conditions.pop()
            return
        condition = self.conditions[-1]
        holds = not condition.taken and (word == "else" or self._holds(rest))
        condition.active = condition.enclosing and holds
        condition.taken = condition.taken or holds

    def _holds(self, rest: str) -> bool:
        """Conditions of the simple kinds; anything else doesn't hold."""
        alternatives = rest.split("||")
        return any(all(self._term(term) for term in item.split("&&")) for item in alternatives)

    def _term(self, term: str) -> bool:
        term = term.strip()
        if term.startswith("!"):
            return not self._term(term[1:])
        if name := re.fullmatch(r"defined\s*\(?\s*([A-Za-z_]\w*)\s*\)?", term):
            return name[1] in self.defined
        return term.strip("()").isdecimal() and int(term.strip("()")) != 0

    def _include(self, rest: str, span: Span) -> None:
        found = _INCLUDE.match(rest)
        if found is None:
            self.diagnostics.error(span, "#include needs a path", hint='write #include <path> or #include "path"')
            return
        system = found[1] is not None
        self.definitions.append(nodes.CInclude(span, found[1] if system else found[2], system))

    def _define(self, rest: str, span: Span) -> None:
        found = _DEFINE.fullmatch(rest)
        if found is None:
            self.diagnostics.error(span, "#define needs a name")
            return
        name, has_parameters, parameters, text = found.groups()
        names = None
        if has_parameters is not None:
            names = tuple(part.strip() for part in parameters.split(",") if part.strip())
        self.defined.add(name)
        self.definitions.append(nodes.CDefine(span, name, text.strip(), names))


def blanked(text: str) -> str:
    """As many blanks, with the line ends kept."""
    return re.sub(r"[^\n]", " ", text)
