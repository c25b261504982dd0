"""Text that comes from a traced workload, made harmless for a terminal."""

from __future__ import annotations

import re

_HARMFUL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""Control characters but tab and newline, what turns the direction of writing, and bytes that weren't UTF-8."""


def escape(text: str) -> str:
    r"""`text` with control characters as `\x1b`; tabs and newlines stay, as a program's own printf wants them."""
    return _HARMFUL.sub(_escaped, text)


def escape_line(text: str) -> str:
    r"""The same for a word inside a line, such as a map's key: a newline is `\n` and can't pass for another line."""
    return escape(text).replace("\n", "\\n").replace("\t", "\\t")


def _escaped(match: re.Match[str]) -> str:
    code = ord(match.group())
    if 0xDC80 <= code <= 0xDCFF:  # a byte that surrogateescape kept
        return f"\\x{code - 0xDC00:02x}"
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
