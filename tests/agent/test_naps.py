"""A nap ends when a signal comes."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tracejob_agent.naps import Naps

LONG = 600.0  # the test's own time limit ends it when a nap isn't woken


@pytest.fixture
def handled() -> Iterator[list[int]]:
    seen: list[int] = []
    before = signal.signal(signal.SIGUSR1, lambda number, frame: seen.append(number))
    yield seen
    signal.signal(signal.SIGUSR1, before)


def test_a_signal_ends_a_nap_whether_it_comes_during_it_or_before(handled: list[int]) -> None:
    with Naps() as naps:
        os.kill(os.getpid(), signal.SIGUSR1)
        naps.nap(LONG)
        waker = threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGUSR1))
        waker.start()
        naps.nap(LONG)
        waker.join()
    assert handled == [signal.SIGUSR1] * 2


def descriptors() -> list[str]:
    return sorted(str(path) for path in Path("/proc/self/fd").iterdir())


def test_without_a_signal_it_ends_by_itself_and_leaves_nothing() -> None:
    before = descriptors()
    with Naps() as naps:
        naps.nap(0.01)
    assert descriptors() == before
