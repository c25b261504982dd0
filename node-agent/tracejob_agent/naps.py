"""Sleeping between looks at the ring buffer, so that a signal ends the sleep: an idle session may sleep long then."""

from __future__ import annotations

import os
import select
import signal
from contextlib import suppress
from types import TracebackType


class Naps:
    """Use as a context manager, in the main thread (elsewhere a signal doesn't end a nap)."""

    def __init__(self) -> None:
        self._woken, self._waker = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._poll = select.poll()
        self._poll.register(self._woken, select.POLLIN)
        self._before: int | None = None

    def __enter__(self) -> Naps:
        with suppress(ValueError):  # not the main thread
            self._before = signal.set_wakeup_fd(self._waker, warn_on_full_buffer=False)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._before is not None:
            signal.set_wakeup_fd(self._before)
        os.close(self._woken)
        os.close(self._waker)

    def nap(self, seconds: float) -> None:
        """For so long, or until a signal comes that has a handler."""
        if self._poll.poll(seconds * 1000):
            with suppress(BlockingIOError):
                os.read(self._woken, 512)
