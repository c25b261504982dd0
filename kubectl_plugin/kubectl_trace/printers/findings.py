"""Diagnostics of a program as a reader sees them: the sentence, the line of the program, the range underlined, a hint.

Comes in: the program's text and what was found in it (`status.diagnostics`, or this machine's own parser). Goes out:
lines of text, for stderr.
"""

from __future__ import annotations

from collections.abc import Iterable

from kubectl_trace.context import Context
from kubectl_trace.jobs import Job
from tracejob_api.escape import escape
from tracejob_api.records import ProgramDiagnostic

MAX_LINE = 160
_RED, _YELLOW, _BOLD, _PLAIN = "\x1b[31m", "\x1b[33m", "\x1b[1m", "\x1b[0m"


def show_findings(context: Context, job: Job) -> int:
    """What the operator and the agents found wrong with the job's program; how many of it are errors."""
    colour = context.colour(context.err)
    for line in render_findings(job.status.diagnostics, program=job.program, name="program", colour=colour):
        context.notice(line)
    return sum(finding.severity == "error" for finding in job.status.diagnostics)


def render_findings(
    findings: Iterable[ProgramDiagnostic], *, program: str, name: str, colour: bool = False
) -> list[str]:
    """All findings, one after the other, each with its line of `program`."""
    lines = program.split("\n")
    rendered: list[str] = []
    for finding in findings:
        # What stands in an imported file can be told by place only: its text isn't here.
        own = lines if finding.source in ("", name, "program") else []
        rendered += _render(finding, lines=own, name=finding.source or name, colour=colour)
    return rendered


def _render(finding: ProgramDiagnostic, *, lines: list[str], name: str, colour: bool) -> list[str]:
    tint = (_YELLOW if finding.severity == "warning" else _RED) if colour else ""
    bold, plain = (_BOLD, _PLAIN) if colour else ("", "")
    place = f"{bold}{escape(name)}:{finding.line}:{finding.column}: {plain}" if finding.line else ""
    rendered = [f"{place}{tint}{finding.severity.upper()}{plain}: {escape(finding.message)}"]
    if 0 < finding.line <= len(lines):
        rendered += _excerpt(lines[finding.line - 1], column=finding.column, width=_width(finding), tint=tint)
    for note in finding.notes:
        rendered.append(f"{bold}{escape(name)}:{note.line}:{note.column}: {plain}NOTE: {escape(note.message)}")
        if 0 < note.line <= len(lines):
            rendered += _excerpt(lines[note.line - 1], column=note.column, width=1, tint="")
    if finding.hint:
        rendered.append(f"HINT: {escape(finding.hint)}")
    return rendered


def _width(finding: ProgramDiagnostic) -> int:
    """Characters of the range that are on its first line; the excerpt cuts what goes beyond it."""
    if finding.end_line > finding.line:
        return MAX_LINE
    return max(1, finding.end_column - finding.column)


def _excerpt(line: str, *, column: int, width: int, tint: str) -> list[str]:
    """The line and the underline; of a long line, the stretch around the range."""
    start = min(max(column - 1, 0), len(line))
    left = 0
    if len(line) > MAX_LINE:
        left = max(0, min(start - MAX_LINE // 4, len(line) - MAX_LINE))
    shown, before = line[left : left + MAX_LINE], line[left:start]
    width = max(1, min(width, len(shown) - len(before)))
    return [_spell(shown), " " * len(_spell(before)) + tint + "~" * width + (_PLAIN if tint else "")]


def _spell(text: str) -> str:
    """As wide in the line as in the indentation of its underline."""
    return escape(text.replace("\t", "    "))
