"""Diagnostics as text for people.

    stdin:1:21-25: ERROR: 'prnt' is not a function
    begin { @ = count(); prnt(@); }
                         ~~~~
    HINT: did you mean 'print'?

In: diagnostics and the sources that their spans index. Out: text, one block per diagnostic, errors and warnings in the
order of the text. The source is shown with control characters replaced: it may come from anybody.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from tracelang.diagnostics import Diagnostic, Diagnostics, Severity
from tracelang.source import NOWHERE, Source, Span

_WIDTH = 160
"""Longer lines are cut around the marked part."""

_RED, _YELLOW, _CYAN, _BOLD, _RESET = "\x1b[31m", "\x1b[33m", "\x1b[36m", "\x1b[1m", "\x1b[0m"


def render_diagnostics(diagnostics: Diagnostics, sources: Sequence[Source], color: bool = False) -> str:
    """All of them, each ending with a line end; "" for none."""
    ordered = sorted(diagnostics.items, key=lambda item: (item.span.source, item.span.start))
    return "".join(render_diagnostic(item, sources, color=color) for item in ordered)


def render_diagnostic(item: Diagnostic, sources: Sequence[Source], *, color: bool = False) -> str:
    tint = _RED if item.severity is Severity.ERROR else _YELLOW
    label = item.severity.name
    lines = [_headline(item.span, sources, label=label, message=item.message, tint=tint if color else "")]
    lines += excerpt(item.span, sources, tint=tint if color else "")
    for call in item.calls:
        lines.append(_headline(call, sources, label=label, message="expanded from", tint=tint if color else ""))
        lines += excerpt(call, sources, tint=tint if color else "")
    for note in item.notes:
        lines.append(_headline(note.span, sources, label="NOTE", message=note.message, tint=_CYAN if color else ""))
        lines += excerpt(note.span, sources, tint=_CYAN if color else "")
    if item.hint:
        lines.append(f"{_BOLD}HINT:{_RESET} {_lines(item.hint)}" if color else f"HINT: {_lines(item.hint)}")
    return "".join(f"{line}\n" for line in lines)


def place(span: Span, sources: Sequence[Source], *, name: bool = True) -> str:
    """`file:line:column-column`, or `file:line-line` for a range of lines; without the file when `name` is False."""
    source = sources[span.source]
    file = f"{source.name}:" if name else ""
    length = len(source.text)
    line, column = source.position(min(span.start, length))
    last_line, last_column = source.position(min(span.end, length))
    if last_line != line:
        return f"{file}{line}-{last_line}"
    return f"{file}{line}:{column}-{max(last_column, column + 1)}"


def _headline(span: Span, sources: Sequence[Source], *, label: str, message: str, tint: str) -> str:
    where = f"{printable(place(span, sources))}: " if span != NOWHERE and span.source < len(sources) else ""
    shown = f"{tint}{label}:{_RESET}" if tint else f"{label}:"
    return f"{where}{shown} {_lines(message)}"


def _lines(text: str) -> str:
    return "\n".join(printable(line) for line in text.split("\n"))


def excerpt(span: Span, sources: Sequence[Source], *, tint: str = "") -> list[str]:
    """The first line of the span, and what marks the span in it."""
    if span == NOWHERE or span.source >= len(sources):
        return []
    source = sources[span.source]
    start = min(span.start, len(source.text))
    line, column = source.position(start)
    text = source.line(line)
    if not text.strip():
        return []
    first = min(column - 1, len(text))
    last = min(max(first + span.end - span.start, first + 1), max(len(text), first + 1))
    text, first, last = _cut(text, first, last)
    shown = printable(text)
    indent = " " * columns(printable(text[:first]))
    marks = "~" * max(columns(printable(text[first:last])), 1)
    return [shown, f"{indent}{tint}{marks}{_RESET}" if tint else f"{indent}{marks}"]


def _cut(text: str, first: int, last: int) -> tuple[str, int, int]:
    """A window of a long line with the marked part in it."""
    if len(text) <= _WIDTH:
        return text, first, last
    begin = max(0, min(first - _WIDTH // 3, len(text) - _WIDTH))
    end = min(len(text), begin + _WIDTH)
    left, right = ("..." if begin else ""), ("..." if end < len(text) else "")
    shift = len(left) - begin
    return left + text[begin:end] + right, first + shift, min(last, end) + shift


def printable(text: str) -> str:
    """One column-true line: tabs as one blank, everything that could move a terminal's cursor replaced."""
    return "".join(
        " " if char == "\t" else char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text
    )


def columns(text: str) -> int:
    """How wide a terminal shows `text`."""
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text
    )
