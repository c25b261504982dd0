"""How a command ended, as a shell and a CI job see it."""

from __future__ import annotations

from enum import IntEnum


class ExitStatus(IntEnum):
    """The process's exit code; every command returns one."""

    DONE = 0
    ERROR = 1  # wrong usage, or the API said no
    PROGRAM_ERROR = 2  # the traced program doesn't parse, type or verify
    NO_TARGET = 3  # nothing to trace: no such pod, not running, no such container
    SOME_TARGETS_FAILED = 4
    TIMED_OUT = 5  # before the probes were attached
    ASSERTION_FAILED = 6
    INTERRUPTED = 130  # left by a second Ctrl-C; the job goes on
