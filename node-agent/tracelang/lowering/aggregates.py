"""`@m[k] = count()` and the other map functions."""

from __future__ import annotations

from tracelang import ir, nodes
from tracelang.lowering.access import keep_layouts
from tracelang.lowering.body import Body
from tracelang.lowering.convert import constant_number, constant_text, convert
from tracelang.lowering.counts import count_message
from tracelang.lowering.maps import map_key, read_map, use_map
from tracelang.lowering.unstable import may_use
from tracelang.source import Span
from tracelang.structs import Struct
from tracelang.symbols import MapSymbol
from tracelang.type_rules import UnresolvedType, base_name, harden, promote, show
from tracelang.types import S64, U64, AggregateType, Aggregation, BoolType, EnumType, IntType, Type, is_integer

MAX_LHIST_BUCKETS = 1000
MAX_TSERIES_INTERVALS = 1_000_000


class MapFunction(Struct, frozen=True):
    """Numbers of arguments that it takes."""

    kind: Aggregation
    least: int
    most: int


MAP_FUNCTIONS = {
    "count": MapFunction(Aggregation.COUNT, 0, 0),
    "sum": MapFunction(Aggregation.SUM, 1, 1),
    "min": MapFunction(Aggregation.MIN, 1, 1),
    "max": MapFunction(Aggregation.MAX, 1, 1),
    "avg": MapFunction(Aggregation.AVG, 1, 1),
    "stats": MapFunction(Aggregation.STATS, 1, 1),
    "hist": MapFunction(Aggregation.HIST, 1, 3),
    "lhist": MapFunction(Aggregation.LHIST, 4, 5),
    "tseries": MapFunction(Aggregation.TSERIES, 3, 4),
}
TSERIES_INNER = {kind.value: kind for kind in (Aggregation.AVG, Aggregation.SUM, Aggregation.MIN, Aggregation.MAX)}
SIGN_BY_ARGUMENT = (Aggregation.SUM, Aggregation.MIN, Aggregation.MAX, Aggregation.AVG, Aggregation.STATS)


def lower_aggregate(body: Body, target: nodes.Map, call: nodes.Call) -> tuple[ir.Stmt, ...]:
    """The update of `target` by a map function."""
    function = MAP_FUNCTIONS[call.name]
    symbol = use_map(body, target, writes=True)
    if symbol is None or not _count_fits(body, call, function):
        return ()
    symbol.only_added = False
    key = map_key(body, target, symbol)
    arguments = [body.lower(body, argument) for argument in call.arguments]
    if any(isinstance(argument.type, UnresolvedType) for argument in arguments):
        return ()
    if arguments and not is_integer(arguments[0].type):
        body.error(
            call.span, f"{call.name}() only supports integer arguments ({base_name(arguments[0].type)} provided)"
        )
        return ()
    aggregate = _aggregate(body, symbol, call, arguments)
    if aggregate is None or not _take(body, symbol, aggregate, call.span):
        return ()
    value = convert(arguments[0], S64 if aggregate.signed else U64) if arguments else None
    repeat = _repeat(arguments, function)
    if key is not None:
        if isinstance(key.type, UnresolvedType):
            return ()
        keep_layouts(body, key.type)
    now = _given_time(body, call) if aggregate.kind is Aggregation.TSERIES else None
    return (ir.Aggregate(call.span, symbol.name, key, aggregate, value, repeat, now),)


def _count_fits(body: Body, call: nodes.Call, function: MapFunction) -> bool:
    given = len(call.arguments)
    if function.least <= given <= function.most:
        return True
    body.error(call.span, count_message(call.name, function.least, function.most, given))
    return False


def _aggregate(body: Body, symbol: MapSymbol, call: nodes.Call, arguments: list[ir.Expr]) -> AggregateType | None:
    function = MAP_FUNCTIONS[call.name]
    match function.kind:
        case Aggregation.COUNT:
            return AggregateType(Aggregation.COUNT)
        case Aggregation.HIST:
            return _hist(body, call, arguments)
        case Aggregation.LHIST:
            return _lhist(body, call, arguments)
        case Aggregation.TSERIES:
            return _tseries(body, symbol, call, arguments)
    signed = _grow_argument(body, symbol, call, arguments[0].type)
    return None if signed is None else AggregateType(function.kind, signed)


def _grow_argument(body: Body, symbol: MapSymbol, call: nodes.Call, type_: Type) -> bool | None:
    """The sign of all arguments that this map's function ever gets; None: they don't go together."""
    if isinstance(type_, BoolType):
        type_ = IntType(8, signed=False)
    both = promote(symbol.argument, type_) if symbol.argument is not None else type_
    if both is None or not isinstance(both, IntType | EnumType):
        body.error(
            call.span,
            f"Type mismatch for {call.name}: trying to call function with type '{show(type_)}' "
            f"when it already has a type '{show(symbol.argument or type_)}'",
        )
        return None
    if both != symbol.argument:
        symbol.argument = both
        body.analysis.changed = True
    return both.signed


def _take(body: Body, symbol: MapSymbol, aggregate: AggregateType, span: Span) -> bool:
    """The map holds this aggregation from now on."""
    current = symbol.value
    if isinstance(current, AggregateType) and current.kind is aggregate.kind:
        if current.parameters != aggregate.parameters or current.inner is not aggregate.inner:
            return _different(body, symbol, aggregate, current, span)
        if current != aggregate:  # only the sign of its arguments changed
            symbol.value = aggregate
            body.analysis.changed = True
        return True
    return body.analysis.grow_value(symbol, aggregate, span)


def _different(body: Body, symbol: MapSymbol, aggregate: AggregateType, current: AggregateType, span: Span) -> bool:
    name = aggregate.kind.value
    had = ", ".join(map(str, current.parameters))
    now = ", ".join(map(str, aggregate.parameters))
    found = f"@{symbol.name} has ({had}), now ({now})"
    match aggregate.kind:
        case Aggregation.TSERIES:
            body.error(span, "Different tseries bounds in a single map unsupported", found)
        case Aggregation.LHIST:
            body.error(span, "Different lhist bounds in a single map unsupported", found)
        case Aggregation.HIST:
            body.error(span, "Different bits in a single hist unsupported", found)
        case _:
            body.error(span, f"Different parameters in a single {name} unsupported", found)
    return False


def _hist(body: Body, call: nodes.Call, arguments: list[ir.Expr]) -> AggregateType | None:
    bits = 0
    if len(arguments) > 1:
        number = _literal(body, call, arguments[1])
        if number is None:
            return None
        if not 0 <= number <= 5:
            body.error(call.span, f"{call.name}: bits {number} must be 0..5")
            return None
        bits = number
    return AggregateType(Aggregation.HIST, signed=True, parameters=(bits,))


def _lhist(body: Body, call: nodes.Call, arguments: list[ir.Expr]) -> AggregateType | None:
    numbers = [_literal(body, call, argument) for argument in arguments[1:4]]
    minimum, maximum, step = numbers
    if minimum is None or maximum is None or step is None:
        return None
    if step <= 0:
        body.error(call.span, "lhist() step must be >= 1" + (f" ({step} provided)" if step else ""))
        return None
    if minimum >= maximum:
        body.error(call.span, f"lhist() min must be less than max (provided min {minimum} and max {maximum})")
        return None
    if maximum - minimum < step:
        body.error(call.span, f"lhist() step is too large for the given range (provided step {step})")
        return None
    if (maximum - minimum + step - 1) // step > MAX_LHIST_BUCKETS:
        body.error(
            call.span,
            f"lhist() too many buckets, must be <= {MAX_LHIST_BUCKETS} (would need "
            f"{(maximum - minimum + step - 1) // step})",
        )
        return None
    return AggregateType(Aggregation.LHIST, signed=True, parameters=(minimum, maximum, step))


def _tseries(body: Body, symbol: MapSymbol, call: nodes.Call, arguments: list[ir.Expr]) -> AggregateType | None:
    if not may_use(body, call.span, "tseries"):
        return None
    interval = _literal(body, call, arguments[1])
    count = _literal(body, call, arguments[2])
    if interval is None or count is None:
        return None
    if interval <= 0:
        body.error(call.span, f"tseries() interval_ns must be >= 1 ({interval} provided)")
        return None
    if count <= 0:
        body.error(call.span, f"tseries() num_intervals must be >= 1 ({count} provided)")
        return None
    if count > MAX_TSERIES_INTERVALS:
        body.error(call.span, f"tseries() num_intervals must be < {MAX_TSERIES_INTERVALS} ({count} provided)")
        return None
    inner = None
    if len(arguments) > 3:
        name = constant_text(arguments[3])
        if name not in TSERIES_INNER:
            body.error(
                call.span,
                f'tseries() expects one of the following aggregation functions: avg, max, min, sum ("{name}" provided)'
                if name is not None
                else f"tseries() expects a string literal ({base_name(arguments[3].type)} provided)",
            )
            return None
        inner = TSERIES_INNER[name]
    signed = _grow_argument(body, symbol, call, arguments[0].type)
    if signed is None:
        return None
    return AggregateType(Aggregation.TSERIES, signed=signed, parameters=(interval, count), inner=inner)


def _given_time(body: Body, call: nodes.Call) -> ir.Expr | None:
    """The map that BPFTRACE_DUMMY_TS_MAP names, whose value is the time: so that a test's series is always the same."""
    name = body.analysis.text("dummy_ts_map").removeprefix("@")
    if not name:
        return None
    time = read_map(body, nodes.Map(call.span, name, None))
    if not is_integer(time.type):
        if not isinstance(time.type, UnresolvedType):
            body.error(call.span, f"BPFTRACE_DUMMY_TS_MAP: @{name} is no number ({base_name(time.type)})")
        return None
    return convert(time, harden(U64))


def _literal(body: Body, call: nodes.Call, argument: ir.Expr) -> int | None:
    number = constant_number(argument)
    if number is None or not is_integer(argument.type):
        body.error(argument.span, f"{call.name}() expects a int literal ({base_name(argument.type)} provided)")
        return None
    return number


def _repeat(arguments: list[ir.Expr], function: MapFunction) -> ir.Expr | None:
    """hist's third and lhist's fifth argument: how often the value counts."""
    index = {Aggregation.HIST: 2, Aggregation.LHIST: 4}.get(function.kind)
    if index is None or len(arguments) <= index:
        return None
    return convert(arguments[index], harden(U64))
