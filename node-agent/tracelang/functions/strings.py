"""Functions on text: strncmp, strcontains, strstr, strlen, and numbers that are shown by name."""

from __future__ import annotations

from tracelang import ir, nodes
from tracelang.functions.common import address, arguments, literal_number, only_supports
from tracelang.functions.table import Function, Rule
from tracelang.lowering.body import Body, missing
from tracelang.lowering.convert import as_text, constant_number, constant_text, convert, integer
from tracelang.source import Span
from tracelang.type_rules import base_name, harden
from tracelang.types import (
    BOOL,
    S64,
    U64,
    ArrayType,
    IntType,
    PointerType,
    StringType,
    TaggedType,
    TagKind,
    is_integer,
    size_of,
)

_KIND = ir.IntrinsicKind
NOT_FOUND = -2
"""What strstr() says when the part isn't there."""


def text_of(body: Body, value: ir.Expr, span: Span) -> ir.Expr | None:
    """A string of any of the forms that hold text: string, array of chars, pointer to chars; None: told."""
    match value.type:
        case StringType():
            return value
        case ArrayType(element=IntType(bits=8)):
            type_ = StringType(size_of(value.type) + 1)
        case PointerType(target=IntType(bits=8)):
            type_ = StringType(body.analysis.number("max_strlen"))
        case _:
            body.error(
                span, "string-like values must be either strings, arrays or pointers, not " + base_name(value.type)
            )
            return None
    place, space = address(body, value)
    return ir.Intrinsic(span, type_, _KIND.READ_STRING, (place,), {"space": space.value})


def _texts(body: Body, call: nodes.Call, count: int) -> list[ir.Expr] | None:
    values = arguments(body, call)
    if values is None:
        return None
    texts = [text_of(body, as_text(body, value), value.span) for value in values[:count]]
    known = [text for text in texts if text is not None]
    return known if len(known) == count else None


def _strncmp(body: Body, call: nodes.Call) -> ir.Expr:
    values = arguments(body, call)
    if values is None:
        return missing(call.span)
    length = constant_number(values[2])
    if length is None or length < 0 or not is_integer(values[2].type):
        return body.error(call.span, "Builtin strncmp requires a non-negative literal")
    values = [as_text(body, value) for value in values]
    for value in values[:2]:
        if not isinstance(value.type, StringType):
            return only_supports(body, call, "string", value)
    left, right = values[:2]
    a, b = constant_text(left), constant_text(right)
    if a is not None and b is not None:
        return integer(call.span, int(a[:length] != b[:length]), U64)
    return ir.StringCompare(call.span, U64, left, right, length, True, True)


def _strcontains(body: Body, call: nodes.Call) -> ir.Expr:
    texts = _texts(body, call, 2)
    if texts is None:
        return missing(call.span)
    a, b = constant_text(texts[0]), constant_text(texts[1])
    if a is not None and b is not None:
        return ir.Constant(call.span, BOOL, int(b in a))
    return ir.Intrinsic(call.span, BOOL, _KIND.STRING_CONTAINS, tuple(texts))


def _strstr(body: Body, call: nodes.Call) -> ir.Expr:
    texts = _texts(body, call, 2)
    if texts is None:
        return missing(call.span)
    a, b = constant_text(texts[0]), constant_text(texts[1])
    if a is not None and b is not None:
        return integer(call.span, a.find(b) if b in a else NOT_FOUND, S64)
    return ir.Intrinsic(call.span, S64, _KIND.STRING_INDEX, tuple(texts))


def _strlen(body: Body, call: nodes.Call) -> ir.Expr:
    texts = _texts(body, call, 1)
    if texts is None:
        return missing(call.span)
    known = constant_text(texts[0])
    if known is not None:
        return integer(call.span, len(known.encode("utf-8", "surrogateescape").split(b"\0")[0]), U64)
    return ir.Intrinsic(call.span, U64, _KIND.STRING_LENGTH, tuple(texts))


def _strcap(body: Body, call: nodes.Call) -> ir.Expr:
    values = arguments(body, call)
    if values is None:
        return missing(call.span)
    match harden(values[0].type):
        case StringType(size=size) | ArrayType(count=size):
            return integer(call.span, size)
    return _strlen(body, call)


def _str_concat(body: Body, call: nodes.Call) -> ir.Expr:
    texts = _texts(body, call, 2)
    if texts is None:
        return missing(call.span)
    size = min(1024, sum(size_of(text.type) for text in texts))
    return ir.Intrinsic(call.span, StringType(size), _KIND.STRING_CAT, tuple(texts))


def _memcmp(body: Body, call: nodes.Call) -> ir.Expr:
    """0 when the first bytes are the same; of equal types and their whole size it is a plain comparison."""
    values = arguments(body, call)
    length = literal_number(body, call, 2)
    if values is None or length is None:
        return missing(call.span)
    left, right = values[:2]
    if not isinstance(left.type, StringType | ArrayType) or not isinstance(right.type, StringType | ArrayType):
        return body.error(call.span, f"memcmp() can't compare {base_name(left.type)} with {base_name(right.type)}")
    if min(size_of(left.type), size_of(right.type)) < length:
        return body.error(call.span, f"memcmp(): {length} bytes are more than both sides have")
    differs = ir.MemoryCompare(call.span, BOOL, left, right, length, False)
    return convert(differs, S64)


def _named(kind: TagKind) -> Rule:
    """A number that is shown as its name."""

    def lower(body: Body, call: nodes.Call) -> ir.Expr:
        values = arguments(body, call)
        if values is None:
            return missing(call.span)
        if not is_integer(values[0].type):
            return only_supports(body, call, "int", values[0])
        return convert(convert(values[0], S64), TaggedType(kind))

    return lower


STRINGS = (
    Function("strncmp", "strncmp(text, text, length)", 3, 3, _strncmp, "0 when both start alike"),
    Function("strcontains", "strcontains(text, part)", 2, 2, _strcontains, "whether the text has that part"),
    Function("strstr", "strstr(text, part)", 2, 2, _strstr, "where the part is in the text, or -2"),
    Function("strlen", "strlen(text)", 1, 1, _strlen, "length of a text"),
    Function("strcap", "strcap(text)", 1, 1, _strcap, "bytes that a text has room for"),
    Function("str_concat", "str_concat(text, text)", 2, 2, _str_concat, "both texts as one"),
    Function("memcmp", "memcmp(a, b, length)", 3, 3, _memcmp, "0 when both are the same"),
    Function("strerror", "strerror(number)", 1, 1, _named(TagKind.STRERROR), "text of an errno"),
    Function("signal_name", "signal_name(number)", 1, 1, _named(TagKind.SIGNAL_NAME), "name of a signal"),
    Function("syscall_name", "syscall_name(number)", 1, 1, _named(TagKind.SYSCALL_NAME), "name of a system call"),
)
