"""Did-you-mean: the closest known name to a misspelled one."""

from __future__ import annotations

from collections.abc import Iterable

LIMIT = 20_000
"""Names looked at: beyond it the answer isn't worth the time."""


def closest(name: str, known: Iterable[str]) -> str:
    """The closest name, "" when none is close."""
    from difflib import get_close_matches  # only mistakes pay for it

    candidates = [item for _, item in zip(range(LIMIT), known, strict=False)]
    folded = {item.lower(): item for item in candidates}
    if name.lower() in folded:
        return folded[name.lower()]
    # The cheap tests first: difflib is quadratic in the length of each name.
    near = [item for item in candidates if abs(len(item) - len(name)) <= max(3, len(name) // 4)]
    matches = get_close_matches(name, near, n=1, cutoff=0.7)
    return matches[0] if matches else ""


def did_you_mean(name: str, known: Iterable[str], prefix: str = "") -> str:
    """A hint for a diagnostic, "" when there is nothing to suggest."""
    best = closest(name, known)
    return f"did you mean {prefix + best!r}?" if best else ""
