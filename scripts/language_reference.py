"""The tables of docs/language.md, from the compiler's own: `python scripts/language_reference.py` writes them anew.

Comes in: the tables of probe types, builtins and functions. Goes out: the document, its hand-written part kept.
"""

from __future__ import annotations

from pathlib import Path

from tracelang.builtins import BUILTINS
from tracelang.functions import FUNCTIONS
from tracelang.providers import PROVIDERS

DOCUMENT = Path(__file__).resolve().parents[1] / "docs" / "language.md"
MARK = "<!-- Below: made by scripts/language_reference.py -->\n"


def tables() -> str:
    """The generated half of the document."""
    parts = ["## Probe types\n", "| name | also | fires in the traced task |", "|---|---|---|"]
    for provider in PROVIDERS:
        also = ", ".join(f"`{alias}`" for alias in provider.aliases)
        parts.append(f"| `{provider.name}` | {also} | {'yes' if provider.task_context else 'no'} |")
    parts += ["\n## Builtins\n", "| name | is |", "|---|---|"]
    parts += [f"| `{name}` | {_cell(BUILTINS[name].doc)} |" for name in sorted(BUILTINS)]
    parts += ["\n## Functions\n", "| use | does |", "|---|---|"]
    for function in (FUNCTIONS[name] for name in sorted(FUNCTIONS)):
        unsafe = " (needs `--unsafe`)" if function.unsafe else ""
        parts.append(f"| `{_cell(function.usage)}` | {_cell(function.doc)}{unsafe} |")
    return "\n".join(parts) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


if __name__ == "__main__":
    written, _, _ = DOCUMENT.read_text().partition(MARK)
    DOCUMENT.write_text(f"{written}{MARK}\n{tables()}")
