"""Room for recursion over deep but bounded trees.

The parser refuses programs nested deeper than `MAXIMUM_DEPTH`; whatever it accepts must also fit the recursive passes,
which take several Python frames per level. Since Python 3.11 such frames cost no C stack.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

MAXIMUM_DEPTH = 200
"""Parentheses, blocks and operators in one another."""

MAXIMUM_CHAIN = 1000
"""Operators of one row (`a + b + c ...`): the tree of a row is as deep as the row is long."""

_FRAMES = 30_000


@contextmanager
def room_to_recurse() -> Iterator[None]:
    """Raise the interpreter's recursion limit for the time of one compilation."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(max(before, _FRAMES))
    try:
        yield
    finally:
        sys.setrecursionlimit(before)
