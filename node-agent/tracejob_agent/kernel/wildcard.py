"""Probe patterns: `*` stands for any text, everything else for itself."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import cache


def has_wildcard(pattern: str) -> bool:
    return "*" in pattern


@cache
def matcher(pattern: str) -> Callable[[str], object]:
    """A function that is true of names that the pattern stands for."""
    return re.compile(".*".join(re.escape(part) for part in pattern.split("*")), re.DOTALL).fullmatch


def matching(pattern: str, names: Iterable[str]) -> list[str]:
    matches = matcher(pattern)
    return sorted({name for name in names if matches(name)})
