"""The kernel's event files: where tracefs is, which tracepoints there are, what their records look like."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from functools import cache

from tracejob_agent.kernel.c_types import parse_type
from tracelang.facts import Layout, Member
from tracelang.types import (
    AddressSpace,
    ArrayType,
    EnumType,
    IntType,
    PointerType,
    StringType,
    StructType,
    Type,
    size_of,
)

_PLACES = ("/sys/kernel/tracing", "/sys/kernel/debug/tracing")
_FIELD = re.compile(
    r"\s*field:(?P<declaration>.*?);\s*offset:(?P<offset>\d+);\s*size:(?P<size>\d+);\s*signed:(?P<signed>\d);"
)
_DECLARATION = re.compile(r"^(?P<type>.*?)(?P<name>\w+)\s*(?P<array>\[.*\])?$")


@cache
def tracefs_folder() -> str | None:
    """Where tracefs is mounted; mounted at its usual place when it isn't and we may. None: not to be had."""
    for place in _PLACES:
        if os.path.isdir(f"{place}/events"):
            return place
    if os.geteuid() == 0 and os.path.isdir(_PLACES[0]):
        import ctypes

        libc = ctypes.CDLL(None, use_errno=True)
        if libc.mount(b"nodev", os.fsencode(_PLACES[0]), b"tracefs", 0, None) == 0:
            return _PLACES[0]
    return None


def read_text(path: str) -> str:
    with open(path) as file:
        return file.read()


def tracepoint_names() -> Iterator[tuple[str, str]]:
    """(category, event) of every tracepoint that has a record, as `available_events` lists them."""
    folder = tracefs_folder()
    if folder is None:
        return
    try:
        text = read_text(f"{folder}/available_events")
    except OSError:
        return
    for line in text.splitlines():
        category, _, event = line.partition(":")
        # ftrace:* are the tracers' own records; perf can't attach to them.
        if event and category != "ftrace":
            yield category, event


def has_tracepoint(category: str, event: str) -> bool:
    """Whether it exists; asks the file system, so that one name doesn't cost the whole list."""
    folder = tracefs_folder()
    if folder is None or "/" in category + event:
        return False
    return os.path.exists(f"{folder}/events/{category}/{event}/id")


def tracepoint_layout(category: str, event: str, *, named: Callable[[str], Type | None]) -> Layout | None:
    """The record of a tracepoint; None when there is no such tracepoint."""
    folder = tracefs_folder()
    if folder is None or "/" in category + event:
        return None
    try:
        text = read_text(f"{folder}/events/{category}/{event}/format")
    except OSError:
        return None
    # A system call's pointers are its caller's; all others are the kernel's own.
    space = AddressSpace.USER if category == "syscalls" else AddressSpace.KERNEL
    return parse_format(f"struct _tracepoint_{category}_{event}", text, space=space, named=named)


def tracepoint_declarations(category: str, event: str) -> list[str]:
    """The fields of a tracepoint's own as its format file declares them, for listings."""
    folder = tracefs_folder()
    try:
        text = read_text(f"{folder}/events/{category}/{event}/format") if folder else ""
    except OSError:
        return []
    declarations = [match["declaration"].strip() for match in _FIELD.finditer(text)]
    return [item for item in declarations if not item.split(" ")[-1].startswith("common_")]


def parse_format(name: str, text: str, *, space: AddressSpace, named: Callable[[str], Type | None]) -> Layout:
    members: dict[str, Member] = {}
    end = 0
    for match in _FIELD.finditer(text):
        offset, size = int(match["offset"]), int(match["size"])
        member = _member(
            match["declaration"], offset=offset, size=size, signed=match["signed"] == "1", space=space, named=named
        )
        end = max(end, offset + size)
        if member:
            members[member.name] = member
    return Layout(name, end, members)


def _member(
    declaration: str, *, offset: int, size: int, signed: bool, space: AddressSpace, named: Callable[[str], Type | None]
) -> Member | None:
    data_loc = declaration.startswith("__data_loc ")
    if declaration.startswith("__rel_loc "):
        return None  # relative to the field: only user events have them
    declaration = declaration.removeprefix("__data_loc ")
    if data_loc:
        type_text, _, name = declaration.rpartition(" ")
        element = parse_type(type_text.removesuffix("[]"), space=space, named=named) or IntType(8, signed=False)
        is_text = type_text in ("char[]", "u8[]")
        return Member(name, StringType(0) if is_text else ArrayType(element, 0), offset, offset * 8, data_loc=True)
    match = _DECLARATION.match(declaration.strip())
    if not match:
        return None
    declared = parse_type(match["type"], space=space, named=named)
    if match["array"] is not None:
        type_ = _array(declared, size)
    else:
        type_ = _sized(declared, size=size, signed=signed)
    return Member(match["name"], type_, offset, offset * 8)


def _array(element: Type | None, size: int) -> Type:
    if element is None or (isinstance(element, IntType) and element.bits == 8):
        return StringType(size)
    return ArrayType(element, size // max(1, size_of(element)))


def _sized(declared: Type | None, *, size: int, signed: bool) -> Type:
    """What the record really holds: system calls store an `int` argument in eight bytes."""
    match declared:
        case PointerType() | StructType():
            return declared
        case EnumType(bits=bits) if bits == size * 8:
            return declared
        case IntType(signed=declared_signed):
            return IntType(size * 8, declared_signed) if size in (1, 2, 4, 8) else StringType(size)
        case None if size not in (1, 2, 4, 8):
            return StringType(size)
        case None:
            return IntType(size * 8, signed)
    return declared if size_of(declared) == size else IntType(size * 8, signed=signed)
