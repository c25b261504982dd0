"""Lines that a test wants to have said in the end, whatever its outcome: conftest.py prints them."""

from __future__ import annotations

NOTES: list[str] = []


def note(text: str) -> None:
    NOTES.append(text)
