"""Facts of a machine of which only files are asked."""

from __future__ import annotations

from typing import Any


class NoFacts:
    """Files from a table; any other question is a mistake of the test."""

    def __init__(self, files: dict[str, str] | None = None) -> None:
        self.files = files or {}

    def read_text(self, path: str) -> str | None:
        return self.files.get(path)

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"the front of the language asked for {name}")
