"""The events' ring buffer, read by mapping its pages: no call into the kernel per event, no wake-up.

The map's pages are: the consumer's position (ours to write), the producer's position, then the data twice in a row,
so that a record never wraps. Each record has an eight-byte header: its length with a busy bit (31) and a discard bit
(30).

Both sides look at the positions while the other one writes them, so each has to be read and written by one instruction.
A memoryview of native words does that; struct with an explicit byte order goes byte by byte, and the kernel would now
and then see half of a new position, and find the buffer full.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Callable, Mapping
from contextlib import suppress
from types import TracebackType

from tracejob_agent.bpf.maps import BpfMap

BUSY = 1 << 31
DISCARD = 1 << 30
HEADER = 8
_RUN = 4096
_STRETCH = 1 << 20
_PAGE = mmap.PAGESIZE
_U32 = struct.Struct("@I")
_U64 = struct.Struct("@Q")

Handler = Callable[[int, memoryview], None]
"""Takes an event's id and its record (valid only during the call)."""

BatchHandler = Callable[[memoryview], None]
"""Takes records of one event that follow one another, headers included: each HEADER bytes into its stride."""


def stride_of(size: int) -> int:
    """From one record of `size` bytes to the next."""
    return (size + HEADER + 7) & ~7


class RingBuffer:
    """A reader; the only one of its map. Use as a context manager."""

    def __init__(self, events: BpfMap) -> None:
        self._descriptor = events.descriptor
        self._size = events.spec.max_entries
        self._consumer = mmap.mmap(events.descriptor, _PAGE, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE)
        self._producer = mmap.mmap(events.descriptor, _PAGE, mmap.MAP_SHARED, mmap.PROT_READ, offset=_PAGE)
        self._stretch: mmap.mmap | None = None
        self._data = memoryview(b"")
        self._base = 0  # the position of the data's first byte
        self._produced = memoryview(self._producer)[:8].cast("Q")
        self._consumed = memoryview(self._consumer)[:8].cast("Q")
        self._position: int = self._consumed[0]

    def __enter__(self) -> RingBuffer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def pending(self) -> int:
        """Bytes that wait."""
        produced = self._produced[0]
        return int(produced - self._position)

    def peek(self) -> list[int]:
        """The ids of the events that wait, without taking them."""
        ids = []
        position, produced = self._position, self._position + self.pending()
        while position < produced:
            start = self._place(position, 2 * HEADER)
            length: int = _U32.unpack_from(self._data, start)[0]
            if length & BUSY:
                break
            position += ((length & ~DISCARD) + HEADER + 7) & ~7
            if not length & DISCARD:
                ids.append(_U64.unpack_from(self._data, start + HEADER)[0])
        return ids

    def consume(self, handle: Handler, *, limit: int = 65536, batches: Mapping[int, BatchHandler] | None = None) -> int:
        """Hands on what is there, about `limit` records; how many there were. Frees their room in the end.

        batches: for events whose records all have one size, what to do with many at once.
        """
        position = self._position
        produced = self._produced[0]
        count = 0
        unpack_header, unpack_id = _U32.unpack_from, _U64.unpack_from
        try:
            while position < produced and count < limit:
                start = self._place(position, HEADER)
                length: int = unpack_header(self._data, start)[0]
                if length & BUSY:
                    break  # reserved, not yet submitted: what follows waits for it
                size = length & ~(BUSY | DISCARD)
                start = self._place(position, stride_of(size))
                data, body = self._data, start + HEADER
                before = position
                position += stride_of(size)
                if length & DISCARD:
                    continue
                event: int = unpack_id(data, body)[0]
                if batches and event in batches:
                    stride = position - before
                    run = self._run(
                        start, min(produced - before, len(data) - start) // stride, length=length, event=event
                    )
                    if run > 1:
                        position = before + run * stride
                        count += run
                        batches[event](data[start : start + run * stride])
                        self._consumed[0] = position  # room for more, while this goes on
                        continue
                count += 1
                handle(event, data[body : body + size])
        finally:
            # Also when the handler raises: its record counts as taken.
            self._position = position
            self._consumed[0] = position
        return count

    def _run(self, start: int, most: int, *, length: int, event: int) -> int:
        """How many records from `start` on have this length and event; looked at by columns, not one by one."""
        step = stride_of(length) // 4
        if most < 2:
            return most
        most = min(most, _RUN)
        words = self._data[start : start + most * step * 4].cast("I")
        if words[step] != length or words[step + 2] != event:
            return 1
        lengths, events = words[::step], words[2::step]
        if lengths.tobytes() == _U32.pack(length) * most and events.tobytes() == _U32.pack(event) * most:
            return most
        same = zip(lengths.tolist(), events.tolist(), strict=True)
        return next(index for index, pair in enumerate(same) if pair != (length, event))

    def _place(self, position: int, size: int) -> int:
        """Where in the mapped data the `size` bytes at a position are."""
        start = position - self._base
        if start < 0 or start + size > len(self._data):
            self._move(position, size)
            start = position - self._base
        return start

    def _move(self, position: int, size: int) -> None:
        """Maps the stretch from a position on."""
        self._release()
        self._base = position & -_PAGE
        offset = self._base & (self._size - 1)
        length = min(max(_STRETCH, size + _PAGE + _PAGE - 1 & -_PAGE), 2 * self._size - offset)
        self._stretch = mmap.mmap(self._descriptor, length, mmap.MAP_SHARED, mmap.PROT_READ, offset=2 * _PAGE + offset)
        self._data = memoryview(self._stretch)

    def _release(self) -> None:
        self._data.release()
        if self._stretch is not None:
            # A handler that keeps a record for longer than it may keeps the pages, too.
            with suppress(BufferError):
                self._stretch.close()

    def close(self) -> None:
        self._release()
        self._produced.release()
        self._consumed.release()
        self._producer.close()
        self._consumer.close()


def discard(ring: RingBuffer | None) -> None:
    """Reads what is there, for nothing."""
    while ring and ring.consume(lambda event_id, record: None):
        pass
