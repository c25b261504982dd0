"""What every test folder shares: the option that names a cluster, and marks by folder."""

from __future__ import annotations

import os
from pathlib import Path

import hypothesis
import pytest
from hypothesis import settings

# No test asserts how long something takes: the machine is shared.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")

_TESTS = Path(__file__).parent

# The tests start our programs hundreds of times. As installed, they have their byte code: without it each start
# spends half a second on compiling what it imports.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
os.environ.setdefault("PYTHONPYCACHEPREFIX", str(_TESTS.parent / ".pytest_cache" / "byte-code"))

# A machine may be busy: how long an example took says nothing about the code.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")


if "TRACEJOB_TEST_COMPILER" in os.environ:
    from matrix import host_compiler

    host_compiler.use()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--kubeconfig", help="run the end-to-end tests on this cluster in place of our own kind cluster")
    parser.addoption("--update-golden", action="store_true", help="write golden files anew from what the code says now")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """tests/kernel and tests/e2e carry their mark by their folder, so that none is run by mistake."""
    for item in items:
        folder = item.path.relative_to(_TESTS).parts[0] if item.path.is_relative_to(_TESTS) else ""
        if folder in {"kernel", "e2e"}:
            item.add_marker(folder)
