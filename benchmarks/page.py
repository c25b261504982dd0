"""docs/benchmarks.md and its picture: answers in, text and SVG out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from benchmarks.frame import Answer

_WIDTH, _LEFT, _ROW, _FULL = 860, 330, 26, 400


def page(answers: Sequence[Answer], *, machine: str, command: str) -> str:
    parts = [
        "# Benchmarks",
        "",
        f"Written by `{command}`. {machine}",
        "",
        "Everything in a table ran in turns in one go; what is told is the least of the rounds, since other work on "
        "the machine only ever adds. Ratios say more than figures.",
        "",
        "![tracejob against bpftrace, by what is measured](benchmarks.svg)",
        "",
    ]
    for answer in answers:
        parts += [table.markdown() for table in answer.tables]
    return "\n".join(parts).rstrip() + "\n"


def picture(ratios: Mapping[str, float]) -> str:
    """A bar for each ratio: tracejob's by the best bpftrace's; left of the line at 1 is better."""
    height = _ROW * len(ratios) + 70
    one = _LEFT + _FULL / 2
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height}" font-family="sans-serif" '
        'font-size="13">',
        f'<rect width="{_WIDTH}" height="{height}" fill="#ffffff"/>',
        '<text x="12" y="22" font-size="15" font-weight="bold" fill="#222">tracejob against the newest bpftrace</text>',
        f'<text x="{one + 6}" y="22" fill="#555">1 = the same; shorter is better</text>',
    ]
    for index, (label, ratio) in enumerate(ratios.items()):
        y = 40 + _ROW * index
        shown = min(ratio, 2.0)
        color = "#2f7d4f" if ratio <= 1 else "#b5532a"
        lines += [
            f'<text x="{_LEFT - 8}" y="{y + 14}" text-anchor="end" fill="#222">{escape(label)}</text>',
            f'<rect x="{_LEFT}" y="{y}" width="{max(shown * _FULL / 2, 1):.1f}" height="{_ROW - 8}" fill="{color}"/>',
            f'<text x="{_LEFT + shown * _FULL / 2 + 6:.1f}" y="{y + 14}" fill="#222">{ratio:.2f}</text>',
        ]
    bottom = 40 + _ROW * len(ratios)
    lines += [
        f'<line x1="{one}" y1="30" x2="{one}" y2="{bottom}" stroke="#888" stroke-dasharray="3 3"/>',
        "</svg>",
    ]
    return "\n".join(lines) + "\n"
