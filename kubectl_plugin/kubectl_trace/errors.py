"""What a command gives up with: a sentence, what to do about it, and the exit status. Never a traceback."""

from __future__ import annotations

from kubectl_trace.exit_status import ExitStatus


class CommandError(Exception):
    """The user sees `message`, then `hint`; the process ends with `status`."""

    status: ExitStatus = ExitStatus.ERROR

    def __init__(self, message: str, *, hint: str = "", status: ExitStatus | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        if status is not None:
            self.status = status


class UsageMistake(CommandError):
    """Arguments that don't go together, or name nothing."""
