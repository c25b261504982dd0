"""A terminal's text as a picture for the README: `scripts/picture.py < transcript > docs/run.svg`.

Lines that start with `$ ` are what was typed; the rest is what came. No fonts or scripts are loaded from elsewhere.
"""

from __future__ import annotations

import sys
from html import escape

CHARACTER, LINE, MARGIN, TITLE = 8.4, 19, 18, 30
COMMAND, BAR, NOTICE, PLAIN = "#9ece6a", "#7aa2f7", "#737aa2", "#c0caf5"
NOTICES = ("created ", "tracing ", "attached", "cost: ", "lost: ")


def picture(text: str) -> str:
    """The SVG, as wide as the longest line."""
    lines = text.rstrip("\n").split("\n")
    width = round(max(map(len, lines)) * CHARACTER + 2 * MARGIN)
    height = len(lines) * LINE + TITLE + 2 * MARGIN
    dots = "".join(
        f'<circle cx="{MARGIN + 4 + 18 * at}" cy="18" r="5.5" fill="{colour}"/>'
        for at, colour in enumerate(("#f7768e", "#e0af68", "#9ece6a"))
    )
    rows = "\n".join(_row(line, y=TITLE + MARGIN + LINE * (at + 0.7)) for at, line in enumerate(lines))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}">\n'
        f'<rect width="{width}" height="{height}" rx="8" fill="#1a1b26"/>\n{dots}\n'
        '<g font-family="ui-monospace, Menlo, Consolas, monospace" font-size="14" xml:space="preserve">\n'
        f"{rows}\n</g>\n</svg>\n"
    )


def _row(line: str, *, y: float) -> str:
    if line.startswith("$ "):
        colour = COMMAND
    elif line.endswith("|") and " |" in line:
        colour = BAR
    else:
        colour = NOTICE if line.startswith(NOTICES) else PLAIN
    # Each line is as wide as its characters, whatever the reader's font is.
    width = f' textLength="{len(line) * CHARACTER:.1f}"' if line else ""
    return f'<text x="{MARGIN}" y="{y:.1f}" fill="{colour}"{width}>{escape(line)}</text>'


if __name__ == "__main__":
    sys.stdout.write(picture(sys.stdin.read()))
