"""Tests that load programs into this machine's kernel: they need root, and are skipped without it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from kernel.leftovers import descriptors_left


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.kernel)
            if os.geteuid() != 0:
                item.add_marker(pytest.mark.skip(reason="needs root"))


@pytest.fixture
def nothing_left() -> Iterator[None]:
    """The test must leave this process without descriptors of BPF objects: then the kernel frees them."""
    before = descriptors_left()
    yield
    assert descriptors_left() == before
