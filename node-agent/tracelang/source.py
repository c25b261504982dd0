"""Where a piece of a program stands in its text: spans, and the texts that spans point into."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field

import msgspec


class Span(msgspec.Struct, frozen=True):
    """Half-open range of code points `[start, end)` in the text with index `source` of a `SourceSet`."""

    start: int
    end: int
    source: int = 0

    def to(self, other: Span) -> Span:
        """The range from the start of this span to the end of `other`."""
        return Span(self.start, max(self.end, other.end), self.source)


NOWHERE = Span(0, 0)
"""The span of what the compiler made up itself."""


@dataclass(frozen=True, slots=True)
class Source:
    """One text: the program, an imported file, or a stretch of the standard library."""

    name: str
    text: str
    _line_starts: list[int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        starts = [0]
        starts.extend(i + 1 for i, char in enumerate(self.text) if char == "\n")
        object.__setattr__(self, "_line_starts", starts)

    def position(self, offset: int) -> tuple[int, int]:
        """The 1-based line and column (in code points) of `offset`."""
        line = bisect_right(self._line_starts, offset)
        return line, offset - self._line_starts[line - 1] + 1

    def line(self, number: int) -> str:
        """The text of 1-based line `number`, without its line end."""
        start = self._line_starts[number - 1]
        end = self._line_starts[number] - 1 if number < len(self._line_starts) else len(self.text)
        return self.text[start:end]
