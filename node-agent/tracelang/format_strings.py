"""printf's format strings: which specifiers they hold, and which types each of them shows."""

from __future__ import annotations

import re

from tracelang.structs import Struct
from tracelang.type_rules import show
from tracelang.types import (
    BufferType,
    PointerType,
    StringType,
    TimestampType,
    Type,
    UsymType,
    is_integer,
)

_SPECIFIER = re.compile(
    r"%(?P<flags>[-+ #0]*)(?P<width>\d*)(?:\.(?P<precision>\d*))?(?P<length>hh|h|ll|l|j|z|t|L|q)?"
    r"(?P<letter>rx|rh|gr|[diouxXcspr])"
)


class Specifier(Struct, frozen=True):
    """`text` as written; `letter` what decides: d i o u x X c s p r rx rh gr."""

    text: str
    letter: str


def specifiers(text: str) -> tuple[Specifier, ...]:
    """The specifiers in order; `%%` is none, and a `%` before anything else is text."""
    found = []
    position = 0
    while (position := text.find("%", position)) >= 0:
        if text.startswith("%%", position):
            position += 2
            continue
        match = _SPECIFIER.match(text, position)
        if match:
            found.append(Specifier(match[0], match["letter"]))
        position = match.end() if match else position + 1
    return tuple(found)


def accepts(letter: str, type_: Type) -> bool:
    """Whether the specifier shows values of that type."""
    match letter:
        case "s":
            return True
        case "r" | "rx" | "rh":
            return isinstance(type_, BufferType)
        case "p":
            return is_integer(type_) or isinstance(type_, PointerType)
        case "c":
            return is_integer(type_)
    return is_integer(type_) or isinstance(type_, PointerType | TimestampType)


def check_format(text: str, types: tuple[Type, ...]) -> tuple[str, str]:
    """What is wrong with a format and its arguments, with a hint; ("", "") when nothing is."""
    found = specifiers(text)
    if len(types) < len(found):
        return f"not enough arguments for format string ({len(types)} supplied, {len(found)} expected)", ""
    if len(types) > len(found):
        return f"too many arguments for format string ({len(types)} supplied, {len(found)} expected)", ""
    for specifier, type_ in zip(found, types, strict=True):
        if not accepts(specifier.letter, type_):
            hint = "%s shows values of every type"
            if specifier.letter in ("r", "rx", "rh"):
                hint = "%r shows what buf() gives"
            elif isinstance(type_, StringType | UsymType):
                hint = "use %s"
            message = f"unsupported format specifier for type '{show(type_)}': {specifier.letter}"
            return message, f"it is {specifier.text} in the format string: {hint}"
    return "", ""
