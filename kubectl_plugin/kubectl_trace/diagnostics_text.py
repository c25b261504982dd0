"""Diagnostics of a program as a reader sees them: the sentence, the line of the program, the range underlined, a hint.

Comes in: the program's text and what was found, by line and column (as in `status.diagnostics` and the agents'
records). Goes out: lines of text.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from tracejob_api.escape import escape

MAX_LINE = 160
_RED, _YELLOW, _BOLD, _PLAIN = "\x1b[31m", "\x1b[33m", "\x1b[1m", "\x1b[0m"


@dataclass(frozen=True, slots=True)
class Finding:
    """One diagnostic. Lines and columns count from 1; line 0: the whole program. `width` in characters."""

    severity: str
    message: str
    line: int = 0
    column: int = 0
    width: int = 1
    hint: str = ""


def render(findings: Iterable[Finding], *, program: str, name: str, colour: bool) -> list[str]:
    """All findings, one after the other, each with its line of `program`."""
    lines = program.split("\n")
    rendered: list[str] = []
    for finding in findings:
        rendered += _render_one(finding, lines=lines, name=name, colour=colour)
    return rendered


def _render_one(finding: Finding, *, lines: list[str], name: str, colour: bool) -> list[str]:
    tint = (_YELLOW if finding.severity == "warning" else _RED) if colour else ""
    bold, plain = (_BOLD, _PLAIN) if colour else ("", "")
    place = f"{name}:{finding.line}:{finding.column}: " if finding.line else ""
    rendered = [f"{bold}{place}{plain}{tint}{finding.severity.upper()}{plain}: {escape(finding.message)}"]
    if 0 < finding.line <= len(lines):
        rendered += _excerpt(lines[finding.line - 1], column=finding.column, width=finding.width, tint=tint)
    if finding.hint:
        rendered.append(f"HINT: {escape(finding.hint)}")
    return rendered


def _excerpt(line: str, *, column: int, width: int, tint: str) -> list[str]:
    """The line and the underline; of a long line, the stretch around the range."""
    start = max(column - 1, 0)
    width = max(1, min(width, len(line) - start))
    left = 0
    if len(line) > MAX_LINE:
        left = max(0, min(start - MAX_LINE // 4, len(line) - MAX_LINE))
        width = min(width, MAX_LINE - (start - left))
    # A tab keeps its place in both lines, so that the underline stays under its range.
    shown = escape(line[left : left + MAX_LINE].replace("\t", "    "))
    indent = len(escape(line[left:start].replace("\t", "    ")))
    return [shown, " " * indent + tint + "~" * width + (_PLAIN if tint else "")]
