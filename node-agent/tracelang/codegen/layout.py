"""The C text of a program from its parts, laid out by templates/program.c.j2. Strings in, one string out.

Pieces of templates/runtime are C as it stands; the few that come in variants are templates too.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from tracelang.codegen.template_runtime import render
from tracelang.structs import Struct, field

_PIECES = f"{os.path.dirname(__file__)}/templates/runtime"  # noqa: PTH120 - pathlib isn't needed for this


class MapText(Struct, frozen=True):
    """macro: what the text calls the map."""

    macro: str
    index: int
    note: str


class StructText(Struct, frozen=True):
    """members: "u64 id", each without its semicolon."""

    name: str
    members: tuple[str, ...]


class FunctionText(Struct, frozen=True):
    """head: all before the body. A function that isn't inlined gets a section of its own, where bcc finds it."""

    name: str
    head: str
    lines: tuple[str, ...]
    comment: str = ""
    is_inlined: bool = False


class ProgramText(Struct, frozen=True):
    structs: tuple[StructText, ...]
    functions: tuple[FunctionText, ...]


class FileText(Struct, frozen=True):
    """runtime: names of pieces. numbers: macros that pieces use. variants: what the pieces that are templates read."""

    maps: tuple[MapText, ...]
    events: tuple[StructText, ...]
    runtime: tuple[str, ...]
    programs: tuple[ProgramText, ...]
    numbers: dict[str, int] = field(default_factory=dict)
    variants: dict[str, object] = field(default_factory=dict)


def lay_out(file: FileText) -> str:
    return render(
        "program.c.j2",
        {
            "maps": file.maps,
            "numbers": file.numbers.items(),
            "events": file.events,
            "runtime": [_piece(name, file.variants) for name in file.runtime],
            "programs": file.programs,
        },
    )


def _piece(name: str, variants: Mapping[str, object]) -> str:
    path = f"{_PIECES}/{name}.c"
    if os.path.exists(path):  # noqa: PTH110 - see above
        with open(path, encoding="utf-8") as text:  # noqa: PTH123 - see above
            return text.read()
    return render(f"runtime/{name}.c.j2", variants)
