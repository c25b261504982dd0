"""Text to a stream that nobody has to wait for: what the stream doesn't take yet stays here, up to a bound.

A reader of a pipe that stands still (a pager) must not stop the session: its end, its signals, its account. While there
is no room here, events stay in the ring buffer; when that is full, the kernel's side counts what it drops.
"""

from __future__ import annotations

import os
import select
import stat
from typing import Protocol

from tracejob_agent.errors import OutputError

_CHUNK = select.PIPE_BUF  # a pipe that is ready takes this much without blocking
_FILE_CHUNK = 1 << 20
_MOST_WAITING = 4 << 20
_WORTH_WRITING = 1 << 16


class Out(Protocol):
    """Where text goes: a TextIO, or a queue before one."""

    def write(self, text: str, /) -> object: ...

    def flush(self) -> None: ...


class QueuedText:
    """Text for a descriptor; what isn't text in it (surrogates) comes out as the bytes it was.

    flush() never waits; `drain` does. is_eager: every write goes out at once.
    """

    def __init__(self, descriptor: int, *, is_eager: bool = False) -> None:
        self._descriptor = descriptor
        self._is_eager = is_eager
        self._waiting = bytearray()
        # A plain file takes everything, and a poll says so: larger pieces are cheaper.
        self._chunk = _FILE_CHUNK if stat.S_ISREG(os.fstat(descriptor).st_mode) else _CHUNK
        self._poll = select.poll()
        self._poll.register(descriptor, select.POLLOUT)

    def write(self, text: str, /) -> None:
        self._waiting += text.encode("utf-8", "surrogateescape")
        if self._is_eager:
            self.drain()

    def has_room(self) -> bool:
        if len(self._waiting) > _WORTH_WRITING:
            self.flush()
        return len(self._waiting) < _MOST_WAITING

    def flush(self) -> None:
        self._push(0)

    def drain(self) -> None:
        """Waits until all of it has gone. Raises BrokenPipeError when nobody reads any more, OutputError else."""
        self._push(None)

    def _push(self, timeout: int | None) -> None:
        position = 0
        try:
            while position < len(self._waiting) and self._poll.poll(timeout):
                position += os.write(self._descriptor, self._waiting[position : position + self._chunk])
        except BrokenPipeError:
            raise
        except OSError as error:
            # What can't be written is gone: the end of the session must not try, and fail, again.
            self._waiting.clear()
            raise OutputError(f"the output can't be written: {error.strerror}") from error
        finally:
            del self._waiting[:position]


def has_room(out: Out) -> bool:
    return not isinstance(out, QueuedText) or out.has_room()


def drain(out: Out) -> None:
    """All of what was written is out when this returns."""
    if isinstance(out, QueuedText):
        out.drain()
    else:
        out.flush()
