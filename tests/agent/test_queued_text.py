"""Text for a reader that may stand still: nobody waits for it, nothing of it is lost, and the queue has a bound."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tracejob_agent.output.queued_text import QueuedText

LINE = "a line of text\n"


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reading, writing = os.pipe()
    yield reading, writing
    for descriptor in (reading, writing):
        with contextlib.suppress(OSError):
            os.close(descriptor)


def read_all(descriptor: int) -> bytes:
    found = bytearray()
    while chunk := os.read(descriptor, 1 << 16):
        found += chunk
    return bytes(found)


def test_a_full_pipe_stops_nobody_and_the_queue_says_when_it_is_full(pipe: tuple[int, int]) -> None:
    out = QueuedText(pipe[1])
    written = 0
    while out.has_room():
        out.write(LINE * 1000)
        written += 1000
    out.flush()
    assert not out.has_room()
    reader: list[bytes] = []
    thread = threading.Thread(target=lambda: reader.append(read_all(pipe[0])))
    thread.start()
    out.drain()
    assert out.has_room()
    os.close(pipe[1])
    thread.join()
    assert reader[0] == LINE.encode() * written


def test_bytes_that_were_no_text_come_out_as_they_were(tmp_path: Path) -> None:
    with (tmp_path / "out").open("wb") as file:
        out = QueuedText(file.fileno())
        out.write(b"\xff\xfe \xc3\xa4\n".decode("utf-8", "surrogateescape"))
        out.drain()
    assert (tmp_path / "out").read_bytes() == b"\xff\xfe \xc3\xa4\n"


def test_a_reader_that_has_gone_is_told_as_such(pipe: tuple[int, int]) -> None:
    out = QueuedText(pipe[1])
    os.close(pipe[0])
    out.write(LINE)
    with pytest.raises(BrokenPipeError):
        out.drain()
