"""Tests of a guest of the kernel matrix: they run there alone (make test-kernels)."""

from __future__ import annotations

from pathlib import Path

import pytest

from matrix.report import NOTES


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.matrix)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if NOTES:
        terminalreporter.section("notes")
        for note in NOTES:
            terminalreporter.line(note)
