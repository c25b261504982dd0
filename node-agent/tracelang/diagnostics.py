"""What the user did wrong: diagnostics collected by the passes, never raised as tracebacks."""

from __future__ import annotations

from enum import Enum

from tracelang.source import Source, Span
from tracelang.structs import Struct, field


class Severity(Enum):
    ERROR = "error"
    WARNING = "warning"


class Note(Struct, frozen=True):
    """A second place that explains the first: where the brace was opened, where the map got its type."""

    span: Span
    message: str


class Diagnostic(Struct, frozen=True):
    """One cause, one diagnostic. `message` says what is wrong, `hint` what to try.

    status: what a command that ends for this error exits with. calls: of the macros that it is in, the innermost first.
    """

    severity: Severity
    span: Span
    message: str
    hint: str = ""
    notes: tuple[Note, ...] = ()
    status: int = 1
    calls: tuple[Span, ...] = ()


class Diagnostics(Struct):
    """The collector that every pass of one compilation shares."""

    items: list[Diagnostic] = field(default_factory=list)

    def error(
        self,
        span: Span,
        message: str,
        *,
        hint: str = "",
        notes: tuple[Note, ...] = (),
        status: int = 1,
        calls: tuple[Span, ...] = (),
    ) -> None:
        self.items.append(Diagnostic(Severity.ERROR, span, message, hint, notes, status, calls))

    def warning(
        self,
        span: Span,
        message: str,
        *,
        hint: str = "",
        notes: tuple[Note, ...] = (),
        calls: tuple[Span, ...] = (),
    ) -> None:
        self.items.append(Diagnostic(Severity.WARNING, span, message, hint, notes, calls=calls))

    @property
    def status(self) -> int:
        """The exit status: of the first error."""
        return next((item.status for item in self.items if item.severity is Severity.ERROR), 0)

    @property
    def failed(self) -> bool:
        return any(item.severity is Severity.ERROR for item in self.items)


class ProgramError(Exception):
    """A program that can't be compiled; carries all that was found wrong with it."""

    def __init__(self, diagnostics: Diagnostics) -> None:
        super().__init__("; ".join(item.message for item in diagnostics.items if item.severity is Severity.ERROR))
        self.diagnostics = diagnostics
        self.sources: tuple[Source, ...] = ()  # what the spans point into, when a compilation got that far
