"""What can be refused before any agent starts: what this version can't do, and programs that don't parse.

Rules over fields alone are in the CRD; who may create a job at all is the admission policy's business.
"""

from __future__ import annotations

from dataclasses import dataclass

from tracejob_api.reasons import Reason
from tracejob_api.records import DiagnosticNote, ProgramDiagnostic
from tracejob_api.spec import PROGRAM_LIMIT, ClusterTraceJobSpec, TraceJobSpec
from tracejob_operator.target import Problem
from tracelang.compiler import parse
from tracelang.diagnostics import Diagnostic, Diagnostics
from tracelang.source import Source


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a job can't start, with the program's own mistakes where that is why."""

    problem: Problem
    diagnostics: tuple[ProgramDiagnostic, ...] = ()


def review(spec: TraceJobSpec | ClusterTraceJobSpec) -> Refusal | None:
    """None when the agents may try. They know the kernel, so types and probes are theirs to judge."""
    if spec.program.tool is not None:
        message = f"there is no built-in tool {spec.program.tool!r} in this version: give the program's text instead"
        return Refusal(Problem(Reason.UNKNOWN_TOOL, message))
    if spec.assertions:
        return Refusal(Problem(Reason.UNSUPPORTED, "spec.assertions is not supported in this version: remove it"))
    text = spec.program.inline or ""
    size = len(text.encode())
    if size > PROGRAM_LIMIT:
        return Refusal(Problem(Reason.PROGRAM_TOO_LARGE, f"the program has {size} bytes, {PROGRAM_LIMIT} are possible"))
    _, diagnostics = parse(text, "program")
    if not diagnostics.failed:
        return None
    found = program_diagnostics(diagnostics, Source("program", text))
    first = next(item for item in found if item.severity == "error")
    message = f"line {first.line}, column {first.column}: {first.message}"
    return Refusal(Problem(Reason.PROGRAM_INVALID, message), found)


def program_diagnostics(diagnostics: Diagnostics, source: Source) -> tuple[ProgramDiagnostic, ...]:
    """The compiler's diagnostics as records have them."""
    return tuple(_program_diagnostic(item, source) for item in diagnostics.items)


def _program_diagnostic(item: Diagnostic, source: Source) -> ProgramDiagnostic:
    line, column = source.position(item.span.start)
    end_line, end_column = source.position(item.span.end)
    notes = []
    for note in item.notes:
        note_line, note_column = source.position(note.span.start)
        notes.append(DiagnosticNote(line=note_line, column=note_column, message=note.message))
    return ProgramDiagnostic(
        message=item.message,
        severity=item.severity.value,
        line=line,
        column=column,
        end_line=end_line,
        end_column=end_column,
        hint=item.hint,
        notes=tuple(notes),
    )
