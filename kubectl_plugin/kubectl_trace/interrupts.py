"""Ctrl-C and SIGTERM as things to act upon, not as an exception in the middle of a request.

Comes in: signals, from the moment a job is about to be created. Goes out: calls of whoever listens; signals that came
before anybody did are handed over then, so that none is lost between creating a job and following it.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from types import FrameType, TracebackType

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupts:
    """While entered, signals are counted and told to the listener."""

    def __init__(self) -> None:
        self._early = 0
        self._listener: Callable[[], None] | None = None
        self._before: dict[int, signal._HANDLER] = {}

    def __enter__(self) -> Interrupts:
        for number in _SIGNALS:
            self._before[number] = signal.signal(number, self._handle)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def tell(self, listener: Callable[[], None]) -> None:
        """Call `listener` for each signal from now on, and for those that came already."""
        self._listener = listener
        for _ in range(self._early):
            listener()

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self._listener is None:
            self._early += 1
        else:
            self._listener()
