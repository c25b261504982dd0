"""Records to a stream, one JSON line each, in sequence: the reader of events never waits for whoever reads the stream.

Lines wait in memory while the pipe or the disk is full. Output records over a bound are dropped and counted; the
records that everything depends on (attached, maps, result) always stay.
"""

from __future__ import annotations

import errno
import os
import select
import time
from dataclasses import dataclass, field

from tracejob_api.records import AnyRecord, encode_record

_CHUNK = select.PIPE_BUF  # a pipe that is ready takes this much without blocking
_WAITING_MOST = 8 << 20
_FULL_DISK = (errno.ENOSPC, errno.EDQUOT)
_AGAIN_SECONDS = 0.05


@dataclass(slots=True)
class RecordWriter:
    """descriptor: usually 1. dropped: output records that found no room. refusal: the stream's last error, in words."""

    descriptor: int
    sequence: int = 0
    dropped: int = 0
    is_closed: bool = False  # nobody reads any more
    refusal: str = ""
    _waiting: bytearray = field(default_factory=bytearray)

    def stamp(self) -> tuple[int, int]:
        """Time and number for the next record."""
        return time.time_ns(), self.sequence

    def write(self, record: AnyRecord) -> int:
        """Queues a record that must not be lost; its size in bytes."""
        line = encode_record(record)
        self.sequence += 1
        if not self.is_closed:
            self._waiting += line
        return len(line)

    def has_room(self) -> bool:
        return len(self._waiting) < _WAITING_MOST

    def flush(self, *, wait: float = 0.0) -> bool:
        """Writes what the stream takes without blocking, for at most `wait` seconds; whether all of it went.

        A full disk may have room again later: what was written stays whole, and the rest waits.
        """
        deadline = time.monotonic() + wait
        poll = select.poll()
        poll.register(self.descriptor, select.POLLOUT)
        position = 0
        while position < len(self._waiting) and not self.is_closed:
            if not poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
                break
            try:
                position += os.write(self.descriptor, self._waiting[position : position + _CHUNK])
            except OSError as error:
                self.refusal = error.strerror or str(error)
                self.is_closed = error.errno not in _FULL_DISK
                if time.monotonic() >= deadline:
                    break
                time.sleep(_AGAIN_SECONDS)
        del self._waiting[:position]
        return not self._waiting and not self.is_closed
