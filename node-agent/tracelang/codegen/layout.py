"""The C text of a program from its parts, as a person would lay it out. Strings in, one string out.

The few pieces of templates/runtime that come in variants are jinja2 templates. What every program has is laid out here:
jinja2 takes longer to import than a small program to compile (docs/decisions/0002-direct-start.md).
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping

from tracelang.structs import Struct, field

_HEAD = (
    "/* Made by tracejob from a tracing program. "
    "Maps are bpf_pseudo_fd(1, n): the loader puts their descriptors there. */"
)
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
    return "".join(f"{line}\n" for line in _file(file))


def _file(file: FileText) -> Iterator[str]:
    yield _HEAD
    yield ""
    for item in file.maps:
        yield f"#define {item.macro} ((void *)bpf_pseudo_fd(1, {item.index})) /* {item.note} */"
    for name, number in file.numbers.items():
        yield f"#define {name} {number}ULL"
    yield ""
    for event in file.events:
        yield from _struct(event.name, event.members, "__attribute__((packed, aligned(8)));")
    for piece in file.runtime:
        yield _piece(piece, file.variants)
    for program in file.programs:
        for struct in program.structs:
            yield from _struct(struct.name, map(_aligned, struct.members), ";")
        for function in program.functions:
            yield from _function(function)


def _struct(name: str, members: Iterable[str], end: str) -> Iterator[str]:
    yield f"struct {name} {{"
    for member in members:
        yield f"  {member};"
    yield f"}} {end}" if end != ";" else "};"
    yield ""


def _aligned(member: str) -> str:
    return f"{member} __attribute__((aligned(8)))" if "[" in member and "aligned" not in member else member


def _function(function: FunctionText) -> Iterator[str]:
    yield ""
    if function.comment:
        yield f"/* {function.comment} */"
    if function.is_inlined:
        yield f"static __always_inline {function.head}"
    else:
        yield f'__attribute__((section(".bpf.fn.{function.name}")))'
        yield function.head
    yield "{"
    yield from function.lines
    yield "}"


def _piece(name: str, variants: Mapping[str, object]) -> str:
    path = f"{_PIECES}/{name}.c"
    if os.path.exists(path):  # noqa: PTH110 - see above
        with open(path, encoding="utf-8") as text:  # noqa: PTH123 - see above
            return text.read()
    from tracelang.codegen.variants import render_piece

    return render_piece(name, variants)
