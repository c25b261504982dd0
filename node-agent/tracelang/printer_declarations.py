"""Printing what stands outside of blocks: attach points, the config block, and C declarations."""

from __future__ import annotations

import re
from typing import assert_never

from tracelang import nodes
from tracelang.literals import quoted

_PLAIN_PART = re.compile(r"[A-Za-z0-9_./*?+@\[\]!=~<>()%&|^-]*", re.ASCII)
_PLAIN_START = re.compile(r"[A-Za-z_*?!\[]")
_ITEM_WORDS = frozenset(("config", "let", "macro", "import", "fn", "struct", "union", "enum", "typedef"))
_INDENT = "  "


def print_attach_point(point: nodes.AttachPoint) -> str:
    """The parts with colons between them; what isn't plain is quoted."""
    first, *rest = point.parts
    plain = _PLAIN_PART.fullmatch(first) and _PLAIN_START.match(first) and first not in _ITEM_WORDS
    return ":".join([first if plain else quoted(first), *(_part(part) for part in rest)])


def _part(text: str) -> str:
    return text if _PLAIN_PART.fullmatch(text) else quoted(text)


def print_config(entries: tuple[nodes.ConfigEntry, ...]) -> str:
    lines = [f"{_INDENT}{entry.name} = {_config_value(entry.value)};" for entry in entries]
    return "\n".join(["config = {", *lines, "}"])


def _config_value(value: int | str | bool) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return quoted(value) if isinstance(value, str) else str(value)


def print_c_definition(definition: nodes.CDefinition) -> str:
    match definition:
        case nodes.CStruct():
            return f"{_struct(definition, 0)};"
        case nodes.CEnum():
            return f"{_enum(definition)};"
        case nodes.CTypedef(name=name, type=type_, inline=inline):
            return f"typedef {_declaration(name, type_, inline, 0)};"
        case nodes.CInclude(path=path, system=system):
            return f"#include <{path}>" if system else f'#include "{path}"'
        case nodes.CDefine(name=name, text=text, parameters=parameters):
            head = name if parameters is None else f"{name}({', '.join(parameters)})"
            return f"#define {head} {text}".rstrip()
        case _:
            assert_never(definition)


def _struct(struct: nodes.CStruct, depth: int) -> str:
    inner = _INDENT * (depth + 1)
    lines = []
    for member in struct.fields:
        bits = f" : {member.bits}" if member.bits is not None else ""
        lines.append(f"{inner}{_declaration(member.name, member.type, member.inline, depth + 1)}{bits};")
    body = "\n".join(["{", *lines, _INDENT * depth + "}"]) if lines else "{}"
    packed = " __attribute__((packed))" if struct.packed else ""
    return f"{f'{struct.kind} {struct.name}'.rstrip()} {body}{packed}"


def _enum(enum: nodes.CEnum) -> str:
    variants = ", ".join(f"{name} = {value}" for name, value in enum.variants)
    return f"{f'enum {enum.name}'.rstrip()} {{ {variants} }}"


def _declaration(name: str, type_: nodes.TypeName, inline: nodes.CStruct | nodes.CEnum | None, depth: int) -> str:
    """`type *name[4]`, with the definition of an inline struct or enum instead of its name."""
    match inline:
        case None:
            base = type_.name
        case nodes.CStruct():
            base = _struct(inline, depth)
        case nodes.CEnum():
            base = _enum(inline)
        case _:
            assert_never(inline)
    return f"{base} {'*' * type_.pointers}{name}{_dimensions(type_)}".rstrip()


def print_c_type(base: str, type_: nodes.TypeName) -> str:
    """`base` with the type's size, stars and dimensions behind it."""
    parameter = f"[{type_.parameter}]" if type_.parameter is not None else ""
    stars = " " + "*" * type_.pointers if type_.pointers else ""
    return f"{base}{parameter}{stars}{_dimensions(type_)}"


def _dimensions(type_: nodes.TypeName) -> str:
    return "".join("[]" if size is None else f"[{size}]" for size in type_.dimensions)
