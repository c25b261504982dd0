"""Functions that send an event: printf and its kin, print, join, time, exit."""

from __future__ import annotations

from tracelang import ir, nodes
from tracelang.format_strings import check_format
from tracelang.functions.common import arguments, literal_number, literal_text
from tracelang.functions.table import MANY, Function, Rule
from tracelang.lowering.access import keep_layouts
from tracelang.lowering.body import Body, effect, missing
from tracelang.lowering.casts import address_space_of
from tracelang.lowering.convert import constant_number, constant_text, convert, integer
from tracelang.plan import EventKind
from tracelang.type_rules import UnresolvedType, base_name, harden, is_printable, show
from tracelang.types import (
    S8,
    U8,
    AddressSpace,
    Aggregation,
    IntType,
    PointerType,
    StringType,
    is_integer,
)

JOIN_ARGUMENTS = 16
JOIN_SIZE = 256


def emit(
    body: Body,
    call: nodes.Call,
    kind: EventKind,
    values: list[ir.Expr],
    *,
    text: str = "",
    map_name: str = "",
    options: dict[str, int | str] | None = None,
) -> ir.Expr:
    """An event with these values; its record is laid out by their types."""
    hard = tuple(convert(value, value.type) for value in values)
    for value in hard:
        keep_layouts(body, value.type)
    event = body.analysis.add_event(
        kind,
        tuple(value.type for value in hard),
        span=call.span,
        text=text,
        map_name=map_name,
        options=options,
    )
    return effect(call.span, ir.Emit(call.span, event, hard))


def _formatted(kind: EventKind) -> Rule:
    def lower(body: Body, call: nodes.Call) -> ir.Expr:
        text = literal_text(body, call, 0)
        values = [body.lower(body, argument) for argument in call.arguments[1:]]
        if text is None or any(isinstance(value.type, UnresolvedType) for value in values):
            return missing(call.span)
        for value in values:
            if not is_printable(value.type):
                return body.error(value.span, f"{base_name(value.type)} type passed to {call.name}() is not printable")
        wrong, hint = check_format(text, tuple(value.type for value in values))
        if wrong:
            return body.error(call.span, wrong, hint)
        return emit(body, call, kind, values, text=text)

    return lower


_debugf_event = _formatted(EventKind.DEBUGF)


def _debugf(body: Body, call: nodes.Call) -> ir.Expr:
    body.warn(
        call.span,
        "The debugf() builtin is not recommended for production use. "
        "For more information see bpf_trace_printk in bpf-helpers(7).",
    )
    return _debugf_event(body, call)


# --- print


def _print(body: Body, call: nodes.Call) -> ir.Expr:
    first = call.arguments[0]
    if isinstance(first, nodes.Map) and first.keys is None:
        return _print_map(body, call, first)
    if isinstance(first, nodes.Map) and len(call.arguments) > 1:
        return body.error(
            call.span,
            f"Non-map print() only takes 1 argument, {len(call.arguments)} found",
            "top and div are for whole maps",
        )
    value = body.lower(body, first)
    if isinstance(value.type, UnresolvedType):
        return missing(call.span)
    if len(call.arguments) > 1:
        return body.error(call.span, f"Non-map print() only takes 1 argument, {len(call.arguments)} found")
    if not is_printable(value.type):
        return body.error(call.span, f"{show(value.type)} type passed to print() is not printable")
    return emit(body, call, EventKind.PRINT_VALUE, [value])


def _print_map(body: Body, call: nodes.Call, node: nodes.Map) -> ir.Expr:
    body.analysis.map_reads.setdefault(node.name, node.span)
    symbol = body.analysis.map(node.name)
    options: dict[str, int | str] = {}
    for index, name in ((1, "top"), (2, "div")):
        if index >= len(call.arguments):
            break
        number = literal_number(body, call, index)
        if number is None:
            return missing(call.span)
        options[name] = number
    aggregate = symbol.aggregate
    if aggregate is not None and aggregate.kind is Aggregation.STATS and len(call.arguments) > 1:
        body.warn(call.span, "print()'s top and div arguments are ignored when used on stats() maps.")
    if body.loop_depth:
        body.warn(
            call.span,
            "Due to it's asynchronous nature using 'print()' in a loop can lead to unexpected behavior. "
            "The map will likely be updated before the runtime can 'print' it.",
        )
    return emit(body, call, EventKind.PRINT_MAP, [], map_name=node.name, options=options)


# --- time, exit, join, debug


def _time(body: Body, call: nodes.Call) -> ir.Expr:
    text: str | None = "%H:%M:%S\n"
    if call.arguments:
        text = literal_text(body, call, 0)
    return missing(call.span) if text is None else emit(body, call, EventKind.TIME, [], text=text)


def _exit(body: Body, call: nodes.Call) -> ir.Expr:
    """The probe ends here too."""
    code: ir.Expr = integer(call.span, 0, U8)
    if call.arguments:
        code = body.lower(body, call.arguments[0])
        if isinstance(code.type, UnresolvedType):
            return missing(call.span)
        if not is_integer(code.type):
            return body.error(code.span, f"exit() only supports int arguments ({base_name(code.type)} provided)")
    sent = emit(body, call, EventKind.EXIT, [convert(code, U8)])
    assert isinstance(sent, ir.Sequence)
    if body.provider is None:
        return sent
    return effect(call.span, *sent.statements, ir.Return(call.span, None))


def _join(body: Body, call: nodes.Call) -> ir.Expr:
    """`join(args.argv)`: up to 16 strings of a NULL-terminated array of addresses."""
    array = body.lower(body, call.arguments[0])
    separator: str | None = " "
    if len(call.arguments) > 1:
        separator = literal_text(body, call, 1)
    if isinstance(array.type, UnresolvedType) or separator is None:
        return missing(call.span)
    if not isinstance(array.type, IntType | PointerType):
        return body.error(
            array.span, f"join() only supports int or pointer arguments ({base_name(array.type)} provided)"
        )
    space = address_space_of(body, array)
    if space is AddressSpace.NONE:
        space = body.space
    text = PointerType(S8, space)
    slot = body.new_local("join", PointerType(text, space))
    base = ir.Local(call.span, PointerType(text, space), slot)
    strings: list[ir.Expr] = []
    for index in range(JOIN_ARGUMENTS):
        step = ir.PointerAdd(call.span, base.type, base, integer(call.span, index, IntType(64, signed=True)), 8)
        pointer = ir.Dereference(call.span, text, step, space)
        strings.append(
            ir.Intrinsic(
                call.span, StringType(JOIN_SIZE), ir.IntrinsicKind.READ_STRING, (pointer,), {"space": space.value}
            )
        )
    sent = emit(body, call, EventKind.JOIN, strings, options={"separator": separator})
    assert isinstance(sent, ir.Sequence)
    return effect(call.span, ir.SetLocal(call.span, slot, convert(array, base.type)), *sent.statements)


def _fail(body: Body, call: nodes.Call) -> ir.Expr:
    """Ends the compilation when it is reached by it."""
    values = arguments(body, call)
    if values is None:
        return missing(call.span)
    literals: list[str | int] = []
    for value in values:
        text, number = constant_text(value), constant_number(value)
        if text is None and number is None:
            return body.error(value.span, "fail() arguments need to be literals")
        literals.append(text if text is not None else number or 0)
    if not isinstance(literals[0], str):
        return body.error(call.span, "first argument to fail() must be a string literal")
    wrong, hint = check_format(literals[0], tuple(harden(value.type) for value in values[1:]))
    if wrong:
        return body.error(call.span, wrong, hint)
    return body.error(call.span, _filled(literals[0], literals[1:]))


def _filled(text: str, values: list[str | int]) -> str:
    try:
        return text % tuple(values)
    except (TypeError, ValueError):
        return text


def _static_assert(body: Body, call: nodes.Call) -> ir.Expr:
    condition = body.lower(body, call.arguments[0])
    text = literal_text(body, call, 1)
    if isinstance(condition.type, UnresolvedType) or text is None:
        return missing(call.span)
    number = constant_number(condition)
    if number is None:
        return body.error(condition.span, "static_assert() expects a condition that is known before the program runs")
    return effect(call.span) if number else body.error(call.span, text)


def _assert(body: Body, call: nodes.Call) -> ir.Expr:
    """An error message and exit(1) when the condition doesn't hold."""
    from tracelang.lowering.convert import truth

    condition = body.lower(body, call.arguments[0])
    text = literal_text(body, call, 1)
    if isinstance(condition.type, UnresolvedType) or text is None:
        return missing(call.span)
    told = emit(body, call, EventKind.ERRORF, [], text=f"assert failed: {text}\n".replace("%", "%%"))
    left = emit(body, call, EventKind.EXIT, [integer(call.span, 1, U8)])
    assert isinstance(told, ir.Sequence)
    assert isinstance(left, ir.Sequence)
    otherwise = (*told.statements, *left.statements, ir.Return(call.span, None))
    return effect(call.span, ir.If(call.span, truth(condition), (), otherwise))


OUTPUT = (
    Function("printf", "printf(format, ...)", 1, MANY, _formatted(EventKind.PRINTF), "print formatted text"),
    Function("errorf", "errorf(format, ...)", 1, MANY, _formatted(EventKind.ERRORF), "print an error with its place"),
    Function("warnf", "warnf(format, ...)", 1, MANY, _formatted(EventKind.WARNF), "print a warning with its place"),
    Function("debugf", "debugf(format, ...)", 1, 4, _debugf, "print to the kernel's trace pipe"),
    Function(
        "system", "system(format, ...)", 1, MANY, _formatted(EventKind.SYSTEM), "run a shell command", unsafe=True
    ),
    Function("cat", "cat(format, ...)", 1, MANY, _formatted(EventKind.CAT), "print a file"),
    Function("print", "print(value) or print(@map, top, div)", 1, 3, _print, "print a value or a map"),
    Function("time", "time(format)", 0, 1, _time, "print the time"),
    Function("exit", "exit(code)", 0, 1, _exit, "end the program"),
    Function("join", "join(array, separator)", 1, 2, _join, "print an array of strings"),
    Function("fail", "fail(format, ...)", 1, MANY, _fail, "end the compilation with an error"),
    Function("static_assert", "static_assert(condition, text)", 2, 2, _static_assert, "check a constant condition"),
    Function("assert", "assert(condition, text)", 2, 2, _assert, "end the program with an error when it doesn't hold"),
)
