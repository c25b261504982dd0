"""Functions that ask about the program itself: types, literals, parameters."""

from __future__ import annotations

from tracelang import ir, nodes
from tracelang.functions.common import literal_text
from tracelang.functions.table import Function, Rule
from tracelang.literals import written_number
from tracelang.lowering.body import Body, missing
from tracelang.lowering.casts import type_of
from tracelang.lowering.convert import constant_number, constant_text, integer, text_constant
from tracelang.source import NOWHERE
from tracelang.type_rules import UnresolvedType, base_name, harden, show
from tracelang.types import BOOL, S64, U64, IntType, RecordType, size_of

TRUE, FALSE = ("", "true", "1"), ("false", "0")


def _typeinfo(body: Body, call: nodes.Call) -> ir.Expr:
    """`typeinfo(x).base_type`, `.full_type`."""
    type_ = type_of(body, call.arguments[0])
    if isinstance(type_, UnresolvedType):
        return missing(call.span)
    elements = (
        integer(call.span, 0, U64),
        text_constant(call.span, base_name(type_)),
        text_constant(call.span, show(type_)),
    )
    fields = tuple(zip(("btf_id", "base_type", "full_type"), (item.type for item in elements), strict=True))
    return ir.MakeTuple(call.span, RecordType(fields), elements)


def _is_of(*families: str) -> Rule:
    def lower(body: Body, call: nodes.Call) -> ir.Expr:
        type_ = type_of(body, call.arguments[0])
        if isinstance(type_, UnresolvedType):
            return missing(call.span)
        return ir.Constant(call.span, BOOL, int(base_name(type_) in families))

    return lower


def _is_unsigned(body: Body, call: nodes.Call) -> ir.Expr:
    type_ = type_of(body, call.arguments[0])
    if isinstance(type_, UnresolvedType):
        return missing(call.span)
    return ir.Constant(call.span, BOOL, int(isinstance(type_, IntType) and not type_.signed))


def _is_literal(body: Body, call: nodes.Call) -> ir.Expr:
    node = call.arguments[0]
    literal = isinstance(node, nodes.Integer | nodes.String | nodes.Boolean)
    if not literal:
        value = body.lower(body, node)
        literal = constant_number(value) is not None or constant_text(value) is not None
    return ir.Constant(call.span, BOOL, int(literal))


def _getopt(body: Body, call: nodes.Call) -> ir.Expr:
    """A named parameter, `-- --name=value`; its type is that of the default."""
    name = literal_text(body, call, 0)
    if name is None:
        return missing(call.span)
    described = literal_text(body, call, 2) if len(call.arguments) > 2 else ""
    body.analysis.used_options.setdefault(name, described or "")
    given = body.analysis.options.named.get(name)
    default: ir.Expr = ir.Constant(call.span, BOOL, 0)
    if len(call.arguments) > 1:
        default = body.lower(body, call.arguments[1])
    if isinstance(default.type, UnresolvedType):
        return missing(call.span)
    text, number = constant_text(default), constant_number(default)
    known = body.analysis.option_defaults.setdefault(name, text if text is not None else number)
    if known != (text if text is not None else number):
        return body.error(
            call.span,
            f"Command line option '{name}' needs to have the same default value in all places it is used. "
            f"Previous default value: {known}",
        )
    if text is not None:
        return text_constant(call.span, text if given is None else given)
    if number is None:
        return body.error(
            call.arguments[1].span, "getopt() expects a literal as its default: a number, a string or a boolean"
        )
    if harden(default.type) == BOOL:
        return _boolean_option(body, call, name, given, default)
    type_ = S64 if number < 0 else U64
    value = number if given is None else written_number(given)
    if value is None:
        return body.error(NOWHERE, f"program command line option --{name} invalid integer (value: {given})")
    if not -(1 << 63) <= value < 1 << (63 if type_.signed else 64):
        return body.error(NOWHERE, f"program command line option --{name} value is out of range (value: {given})")
    return integer(call.span, value if type_.signed else value % (1 << 64), type_)


def _boolean_option(body: Body, call: nodes.Call, name: str, given: str | None, default: ir.Expr) -> ir.Expr:
    if given is None:
        return default
    if given.lower() in TRUE or given.lower() in FALSE:
        return ir.Constant(call.span, BOOL, int(given.lower() in TRUE))
    return body.error(call.span, f"Invalid value for {name}: expected a boolean, got {given!r}")


def _config(body: Body, call: nodes.Call) -> ir.Expr:
    """`config().max_strlen`: the settings as they are."""
    names = sorted(body.analysis.settings)
    values: list[ir.Expr] = []
    for name in names:
        setting = body.analysis.settings[name]
        if isinstance(setting, bool):
            values.append(ir.Constant(call.span, BOOL, int(setting)))
        elif isinstance(setting, int):
            values.append(integer(call.span, setting, U64))
        else:
            values.append(text_constant(call.span, setting))
    fields = tuple((name, value.type) for name, value in zip(names, values, strict=True))
    return ir.MakeTuple(call.span, RecordType(fields), tuple(values))


def _default_length(body: Body, call: nodes.Call) -> ir.Expr:
    return integer(call.span, body.analysis.number("max_strlen"))


def _size(body: Body, call: nodes.Call) -> ir.Expr:
    """`sizeof` written as a call of an expression."""
    type_ = type_of(body, call.arguments[0])
    return missing(call.span) if isinstance(type_, UnresolvedType) else integer(call.span, size_of(type_))


META = (
    Function("typeinfo", "typeinfo(expression)", 1, 1, _typeinfo, "the type of an expression, as text"),
    Function("is_str", "is_str(expression)", 1, 1, _is_of("string"), "whether it is text"),
    Function("is_ptr", "is_ptr(expression)", 1, 1, _is_of("pointer"), "whether it is an address"),
    Function("is_array", "is_array(expression)", 1, 1, _is_of("array"), "whether it is an array"),
    Function("is_integer", "is_integer(expression)", 1, 1, _is_of("int"), "whether it is a number"),
    Function("is_unsigned_integer", "is_unsigned_integer(expression)", 1, 1, _is_unsigned, "whether it has no sign"),
    Function("is_literal", "is_literal(expression)", 1, 1, _is_literal, "whether it is a literal"),
    Function("getopt", 'getopt("name", default)', 1, 3, _getopt, "a named parameter of the program"),
    Function("default_str_length", "default_str_length()", 0, 0, _default_length, "longest text of str()"),
    Function("config", "config().name", 0, 0, _config, "the settings"),
    Function("sizeof", "sizeof(expression or type)", 1, 1, _size, "size in bytes"),
)
