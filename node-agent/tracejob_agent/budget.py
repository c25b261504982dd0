"""limits.cpuPercent: what tracing takes of a CPU, watched while it runs.

Both sides count: the agent's own time, and that of its programs in the traced processes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

WINDOW = 1.0
"""Seconds: a shorter peak (a snapshot of large maps) is no reason to end. An excess is seen within twice that."""

_LOOK_EVERY = 0.25


@dataclass(frozen=True, slots=True)
class Spent:
    """CPU seconds so far."""

    agent: float
    programs: float


@dataclass(slots=True)
class CpuBudget:
    """percent: of one CPU; 0: no limit. spent: asked a few times a second."""

    percent: float
    spent: Callable[[], Spent]
    _seen: deque[tuple[float, Spent]] = field(default_factory=deque)
    _next: float = 0.0

    def excess(self, now: float) -> str:
        """What to tell the user when the last second took more than is allowed; empty otherwise."""
        if not self.percent or now < self._next:
            return ""
        self._next = now + _LOOK_EVERY
        self._seen.append((now, self.spent()))
        while len(self._seen) > 2 and self._seen[1][0] <= now - WINDOW:
            self._seen.popleft()
        (since, first), (_, last) = self._seen[0], self._seen[-1]
        if now - since < WINDOW:
            return ""
        agent = 100 * (last.agent - first.agent) / (now - since)
        programs = 100 * (last.programs - first.programs) / (now - since)
        if agent + programs <= self.percent:
            return ""
        return (
            f"tracing took {agent + programs:.1f} % of a CPU (the agent {agent:.1f}, its probes {programs:.1f}), "
            f"more than limits.cpuPercent ({self.percent:g}) allows"
        )
