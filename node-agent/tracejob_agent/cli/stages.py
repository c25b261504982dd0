"""--fmt and -d ast: a program's text parsed, and shown again formatted or as its tree."""

from __future__ import annotations

from collections.abc import Iterator

from tracelang import nodes
from tracelang.compiler import parse
from tracelang.diagnostics import ProgramError
from tracelang.printer import print_program
from tracelang.structs import Struct

_HIDDEN = {"span"}


def formatted(text: str, name: str) -> str:
    """The program in the canonical layout. Raises ProgramError."""
    return print_program(_parsed(text, name))


def tree(text: str, name: str) -> str:
    """One line for each node and each of its fields, indented by depth. Raises ProgramError."""
    return "".join(f"{line}\n" for line in _lines(_parsed(text, name), label="", depth=0))


def _parsed(text: str, name: str) -> nodes.Program:
    program, diagnostics = parse(text, name)
    if program is None or diagnostics.failed:
        raise ProgramError(diagnostics)
    return program


def _lines(value: object, *, label: str, depth: int) -> Iterator[str]:
    indent, prefix = "  " * depth, f"{label}: " if label else ""
    if isinstance(value, Struct):
        yield f"{indent}{prefix}{type(value).__name__}"
        for name in value.__struct_fields__:
            if name not in _HIDDEN:
                yield from _lines(getattr(value, name), label=name, depth=depth + 1)
    elif isinstance(value, tuple | list):
        if value:
            yield f"{indent}{prefix}"
            for item in value:
                yield from _lines(item, label="", depth=depth + 1)
    elif value not in (None, ""):
        yield f"{indent}{prefix}{value!r}"
