"""A small part of Go's text/template, as helm charts use it. Pure: text and values in, text out.

Known: `.A.b` paths, strings, numbers, true, false; pipelines and parentheses; if / else if / else / end, range over a
list, with; comments; trimming by `{{-` and `-}}`; the functions of `_FUNCTIONS`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import yaml

_TAG = re.compile(r"(?P<left>[ \t\r\n]*\{\{-(?=\s)|\{\{)(?P<body>.*?)(?P<right>(?<=\s)-\}\}[ \t\r\n]*|\}\})", re.DOTALL)
_TOKEN = re.compile(r'\s*("(?:[^"\\]|\\.)*"|`[^`]*`|\(|\)|\||-?\d+(?!\w)|\$?[.\w]+|:=|=)')


class TemplateError(Exception):
    """A construct that isn't known here."""


@dataclass(slots=True)
class _Block:
    """A run of text and tags, and what it is nested in: `branches` are (condition, block), the last one without."""

    parts: list[str | _Tag] = field(default_factory=list)


@dataclass(slots=True)
class _Tag:
    """An expression (`word` empty), or an if, range or with and its branches."""

    word: str
    expression: str
    branches: list[tuple[str, _Block]] = field(default_factory=list)


def render(text: str, scope: Mapping[str, object]) -> str:
    """The template with `scope` as its dot."""
    return _show(_parse(text), scope, scope)


def _parse(text: str) -> _Block:
    root = _Block()
    blocks = [root]
    opened: list[_Tag] = []
    at = 0
    for match in _TAG.finditer(text):
        blocks[-1].parts.append(text[at : match.start()])
        at = match.end()
        body = match["body"].strip()
        word, _, rest = body.partition(" ")
        if body.startswith("/*"):
            continue
        if word in ("if", "range", "with"):
            tag = _Tag(word, rest.strip(), [(rest.strip(), _Block())])
            blocks[-1].parts.append(tag)
            opened.append(tag)
            blocks.append(tag.branches[0][1])
        elif word == "else":
            if not opened:
                raise TemplateError("an else without an if")
            block = _Block()
            opened[-1].branches.append((rest.strip().removeprefix("if ").strip(), block))
            blocks[-1] = block
        elif word == "end":
            if not opened:
                raise TemplateError("an end without a beginning")
            opened.pop()
            blocks.pop()
        else:
            blocks[-1].parts.append(_Tag("", body))
    if opened:
        raise TemplateError(f"{opened[-1].word} {opened[-1].expression} has no end")
    blocks[-1].parts.append(text[at:])
    return root


def _show(block: _Block, dot: object, root: Mapping[str, object]) -> str:
    shown = []
    for part in block.parts:
        if isinstance(part, str):
            shown.append(part)
        elif not part.word:
            shown.append(_text(_evaluate(part.expression, dot, root)))
        else:
            shown.append(_show_branches(part, dot, root))
    return "".join(shown)


def _show_branches(tag: _Tag, dot: object, root: Mapping[str, object]) -> str:
    for condition, block in tag.branches:
        value = _evaluate(condition, dot, root) if condition else True
        if not value:
            continue
        if tag.word == "range" and condition:
            if not isinstance(value, Sequence) or isinstance(value, str):
                raise TemplateError(f"range over {condition}, which is no list")
            return "".join(_show(block, item, root) for item in value)
        return _show(block, value if tag.word == "with" and condition else dot, root)
    return ""


def _evaluate(expression: str, dot: object, root: Mapping[str, object]) -> object:
    tokens = []
    at = 0
    while at < len(expression.rstrip()):
        match = _TOKEN.match(expression, at)
        if match is None:
            raise TemplateError(f"{{{{ {expression} }}}} isn't known here")
        tokens.append(match[1])
        at = match.end()
    if not tokens:
        raise TemplateError("an empty tag")
    value, rest = _pipeline(tokens, dot, root)
    if rest:
        raise TemplateError(f"{{{{ {expression} }}}}: {rest[0]!r} is too much")
    return value


def _pipeline(tokens: list[str], dot: object, root: Mapping[str, object]) -> tuple[object, list[str]]:
    value, rest = _command(tokens, dot, root, piped=())
    while rest and rest[0] == "|":
        value, rest = _command(rest[1:], dot, root, piped=(value,))
    return value, rest


def _command(
    tokens: list[str], dot: object, root: Mapping[str, object], *, piped: tuple[object, ...]
) -> tuple[object, list[str]]:
    name = tokens[0] if tokens else ""
    function = _FUNCTIONS.get(name)
    operands: list[object] = []
    rest = tokens[1:] if function else tokens
    while rest and rest[0] not in ("|", ")"):
        value, rest = _operand(rest, dot, root)
        operands.append(value)
    if function is not None:
        return function(*operands, *piped), rest
    if len(operands) != 1 or piped:
        raise TemplateError(f"{name!r} is no function that is known here")
    return operands[0], rest


def _operand(tokens: list[str], dot: object, root: Mapping[str, object]) -> tuple[object, list[str]]:
    token, *rest = tokens
    if token == "(":
        value, rest = _pipeline(rest, dot, root)
        if not rest or rest[0] != ")":
            raise TemplateError("a parenthesis isn't closed")
        return value, rest[1:]
    if token[0] == '"':
        return json.loads(token), rest
    if token[0] == "`":
        return token[1:-1], rest
    if token in ("true", "false"):
        return token == "true", rest
    if re.fullmatch(r"-?\d+", token):
        return int(token), rest
    if token.startswith("$."):
        return _path(token[1:], root), rest
    if token.startswith("."):
        return _path(token, dot), rest
    raise TemplateError(f"{token!r} isn't known here")


def _path(path: str, dot: object) -> object:
    value = dot
    for name in path.split("."):
        if name:
            value = value.get(name) if isinstance(value, Mapping) else None
    return value


def _text(value: object) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case _:
            return str(value)


def _to_yaml(value: object) -> str:
    return yaml.safe_dump(value, sort_keys=False, default_flow_style=False).removesuffix("...\n").rstrip("\n")


def _indent(width: object, text: object) -> str:
    return "\n".join(" " * int(str(width)) + line for line in _text(text).split("\n"))


def _quote(value: object) -> str:
    return json.dumps(_text(value), ensure_ascii=False)


def _all(*values: object) -> object:
    return next((value for value in values if not value), values[-1])


def _any(*values: object) -> object:
    return next((value for value in values if value), values[-1])


_FUNCTIONS: dict[str, Callable[..., object]] = {
    "quote": _quote,
    "toYaml": _to_yaml,
    "toJson": lambda value: json.dumps(value, separators=(",", ":"), sort_keys=True),
    "indent": _indent,
    "nindent": lambda width, text: "\n" + _indent(width, text),
    "default": lambda fallback, value: value or fallback,
    "eq": lambda left, *right: left in right,
    "ne": lambda left, right: left != right,
    "not": lambda value: not value,
    "and": _all,
    "or": _any,
    "printf": lambda form, *values: str(form) % values,
    "int": lambda value: int(str(value or 0)),
    "trunc": lambda length, text: str(text)[: int(str(length))],
}
