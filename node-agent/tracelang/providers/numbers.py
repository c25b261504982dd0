"""Numbers as they stand in probe specs."""

from __future__ import annotations

import re

_SCIENTIFIC = re.compile(r"([0-9]+)[eE]([0-9]+)")


def parse_number(text: str) -> int | None:
    """Decimal, 0x, leading-zero octal, 1e6, 1_000; None: not a number."""
    clean = text.replace("_", "")
    match = _SCIENTIFIC.fullmatch(clean)
    if match:
        return int(match[1]) * 10 ** int(match[2]) if int(match[2]) < 20 else None
    try:
        if clean.startswith("0") and clean[1:].isdigit():
            return int(clean, 8)
        return int(clean, 0) if clean and not clean.startswith(("-", "+")) else None
    except ValueError:
        return None
