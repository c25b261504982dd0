"""How long each stage of a start took."""

from __future__ import annotations

import time


class Stopwatch:
    """stages: nanoseconds by stage, those that came before included."""

    def __init__(self, stages: dict[str, int]) -> None:
        self.stages = stages
        self._last = time.monotonic_ns()

    def lap(self, stage: str) -> None:
        now = time.monotonic_ns()
        self.stages[stage] = now - self._last
        self._last = now
