"""The compiler's diagnostics as records: spans become lines and columns; the text for people comes along."""

from __future__ import annotations

from collections.abc import Sequence

from tracejob_api.records import DiagnosticNote, ProgramDiagnostic
from tracelang.diagnostics import Diagnostic, Diagnostics
from tracelang.report import render_diagnostics
from tracelang.source import Source, Span


def diagnostics_of(diagnostics: Diagnostics, sources: Sequence[Source]) -> tuple[tuple[ProgramDiagnostic, ...], str]:
    """The records of all diagnostics, and their text."""
    return tuple(_record(item, sources) for item in diagnostics.items), render_diagnostics(diagnostics, sources)


def _record(item: Diagnostic, sources: Sequence[Source]) -> ProgramDiagnostic:
    line, column = _position(item.span, sources, item.span.start)
    end_line, end_column = _position(item.span, sources, item.span.end)
    return ProgramDiagnostic(
        message=item.message,
        severity=item.severity.value,
        line=line,
        column=column,
        end_line=end_line,
        end_column=end_column,
        hint=item.hint,
        source=sources[item.span.source].name if 0 < item.span.source < len(sources) else "",
        notes=tuple(
            DiagnosticNote(*_position(note.span, sources, note.span.start), note.message) for note in item.notes
        ),
    )


def _position(span: Span, sources: Sequence[Source], offset: int) -> tuple[int, int]:
    """(0, 0): no place in a text that is known here."""
    if span.source >= len(sources):
        return 0, 0
    source = sources[span.source]
    return source.position(min(offset, len(source.text)))
