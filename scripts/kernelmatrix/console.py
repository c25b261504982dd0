"""A guest's console within limits: the lines of a process in, the same lines out, and a reason when it had to be ended.

A guest that hangs says nothing more, so that its silence counts as well as its whole time. Both count the seconds in
which guest and watchdog could run: a machine that is busy, or a guest that somebody stopped for a while, is no hang.
"""

from __future__ import annotations

import re
import subprocess
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

_CONTROL: Final = re.compile(r"\x1b(?:\[[0-9;?]*[A-Za-z]|[A-Za-z])|\r")
"""The firmware resets the terminal that it believes to write to; ours must stay as it is."""


@dataclass(frozen=True, slots=True)
class Limits:
    """silence: seconds without a line. total: seconds for all of it. interrupted: set by who wants no more."""

    silence: float = 300
    total: float = 1800
    interrupted: threading.Event = field(default_factory=threading.Event)


class GuestEnded(Exception):
    """The process was ended from here: it reached a limit, or we were interrupted. The text says which."""


def lines(command: Sequence[str], limits: Limits) -> Iterator[str]:
    """What the process prints until it ends. GuestEnded comes after the last line, which may be half of one."""
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,  # Ctrl-C is for us: a guest that is gone by itself is another thing
    )
    watchdog = _Watchdog(process, limits)
    watchdog.start()
    try:
        assert process.stdout is not None
        with process.stdout:
            for line in process.stdout:
                watchdog.heard()
                yield _CONTROL.sub("", line).rstrip()
    finally:
        watchdog.end()
        process.kill()
        process.wait()
    if watchdog.reason:
        raise GuestEnded(watchdog.reason)


class _Watchdog(threading.Thread):
    """Kills the process at a limit; `reason` is the limit then."""

    def __init__(self, process: subprocess.Popen[str], limits: Limits) -> None:
        super().__init__(daemon=True)
        self.reason = ""
        self._process, self._limits = process, limits
        self._silent = self._total = 0.0
        self._over = threading.Event()

    def heard(self) -> None:
        self._silent = 0.0

    def end(self) -> None:
        self._over.set()

    def run(self) -> None:
        while not self._over.wait(1.0):
            if not is_stopped(self._process.pid):
                self._silent += 1
                self._total += 1
            if self._limits.interrupted.is_set():
                self.reason = "was interrupted"
            elif self._silent >= self._limits.silence:
                self.reason = f"printed nothing for {self._limits.silence:g} s"
            elif self._total >= self._limits.total:
                self.reason = f"was not ready after {self._limits.total:g} s"
            if self.reason:
                self._process.kill()
                return


def is_stopped(pid: int) -> bool:
    """Whether somebody sent that process SIGSTOP."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in {"T", "t"}
    except (OSError, IndexError):
        return False
