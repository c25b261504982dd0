"""SIGTERM and SIGINT, noted from the first moment on: they end a run, they never cut it off.

Work that can be dropped half done (compiling) is left at once; a session is asked to end, and tells its result.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Interrupted(Exception):
    """Not an error: raised by the signal inside of `interrupting`."""


class StopSignal:
    def __init__(self) -> None:
        self.is_set = False
        self._interrupts = False

    def watch(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._note)

    @contextmanager
    def interrupting(self) -> Iterator[None]:
        """Leaves the block by Interrupted when the signal comes, or has come already."""
        self._interrupts = True
        try:
            if self.is_set:
                raise Interrupted
            yield
        finally:
            self._interrupts = False

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.is_set = True
        if self._interrupts:
            self._interrupts = False
            raise Interrupted
