"""The agent's request as a file that changes while it runs: a downwardAPI volume swaps what its link leads to."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from tracejob_api.request import AgentRequest, RequestError, decode

_LOOK_SECONDS = 0.2


@dataclass(slots=True)
class RequestFile:
    """Looks at the file at most every 0.2 s."""

    path: Path
    _seen: tuple[int, int] = (0, 0)
    _next: float = 0.0

    def read(self) -> AgentRequest:
        """Raises RequestError, also when there is no such file."""
        try:
            self._seen = self._identity()
            return decode(self.path.read_bytes())
        except OSError as error:
            raise RequestError(f"the request can't be read: {error}") from error

    def changed(self, now: float | None = None) -> AgentRequest | None:
        """The new request when there is one. A half-written one is looked at again."""
        now = time.monotonic() if now is None else now
        if now < self._next:
            return None
        self._next = now + _LOOK_SECONDS
        try:
            identity = self._identity()
            return None if identity == self._seen else self.read()
        except (OSError, RequestError):
            self._seen = (0, 0)
            return None

    def _identity(self) -> tuple[int, int]:
        status = self.path.stat()
        return status.st_ino, status.st_mtime_ns
