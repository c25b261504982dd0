"""Where a piece of a program stands in its text: spans, and the texts that spans point into."""

from __future__ import annotations

from tracelang.structs import Struct


class Span(Struct, frozen=True):
    """Half-open range of code points `[start, end)` in the text with index `source` of a `SourceSet`."""

    start: int
    end: int
    source: int = 0

    def to(self, other: Span) -> Span:
        """The range from the start of this span to the end of `other`."""
        return Span(self.start, max(self.end, other.end), self.source)

    def contains(self, other: Span) -> bool:
        return self.source == other.source and self.start <= other.start and other.end <= self.end


NOWHERE = Span(0, 0)
"""The span of what the compiler made up itself."""


class Source(Struct, frozen=True):
    """One text: the program, an imported file, or a stretch of the standard library."""

    name: str
    text: str

    def position(self, offset: int) -> tuple[int, int]:
        """The 1-based line and column (in code points) of `offset`."""
        start = self.text.rfind("\n", 0, offset) + 1
        return self.text.count("\n", 0, offset) + 1, offset - start + 1

    def line(self, number: int) -> str:
        """The text of 1-based line `number`, without its line end."""
        return self.text.split("\n")[number - 1]
