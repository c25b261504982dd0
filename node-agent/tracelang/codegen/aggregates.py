"""Map functions: count, sum, min, max, avg, stats, hist, lhist, tseries.

Comes in: ir.Aggregate; goes out: an update of this CPU's value in place, which needs no lock. The hit path is one
lookup and an add; only the first use of a key pays for an insertion. Layouts are those of tracelang.types.
"""

from __future__ import annotations

from tracelang import ir
from tracelang.codegen import expressions, maps, places
from tracelang.codegen.failures import map_is_full
from tracelang.codegen.values import CodegenError, Place, c_type
from tracelang.codegen.writer import Writer
from tracelang.plan import Counter
from tracelang.types import (
    S64,
    U64,
    AggregateType,
    Aggregation,
    Type,
    hist_buckets,
    lhist_buckets,
    size_of,
)


def update(writer: Writer, statement: ir.Aggregate) -> None:
    """Counts one value. The value is evaluated before the key."""
    kind = statement.aggregate
    number = "1"
    if statement.value is not None:
        number_type: Type = S64 if kind.signed else U64
        text = expressions.value(writer, statement.value)
        number = writer.temp(number_type, text, "number")
    repeat = "1"
    if statement.repeat is not None:
        repeat = writer.temp_of("u64", expressions.value(writer, statement.repeat), "repeat")
    now = "bpf_ktime_get_boot_ns()" if statement.now is None else expressions.value(writer, statement.now)
    where = maps.target(writer, statement.map, statement.key)
    slot = maps.lookup(writer, where, kind="u64")
    if not where.is_array:
        _insert_if_new(writer, where, slot=slot, size=size_of(kind))
    with writer.block(f"if ({slot})"):
        is_ours = where.is_per_cpu and not writer.is_preemptible
        if kind.kind is Aggregation.TSERIES:
            _time_series(writer, kind, slot=slot, number=number, now=now)
        else:
            _apply(writer, kind, slot=slot, number=number, repeat=repeat, is_ours=is_ours)
        maps.mark_set(writer, where, slot)


def _insert_if_new(writer: Writer, where: maps.Target, *, slot: str, size: int) -> None:
    """On a miss, zeroes are inserted and the value looked up again, so that there is one way of counting."""
    with writer.block(f"if (!{slot})"):
        if size == 8:
            zeros = f"&{writer.temp_of('u64', '0', 'zero')}"
        else:
            zeros = writer.zeros(size).address
        # An error is also "somebody was faster": the second lookup decides.
        writer.emit(f"bpf_map_update_elem({where.macro}, {where.key}, {zeros}, {maps.BPF_NOEXIST});")
        writer.emit(f"{slot} = bpf_map_lookup_elem({where.macro}, {where.key});")
        with writer.block(f"if (!{slot})"):
            maps.count_up(writer, Counter.MAP_FULL)
            map_is_full(writer, writer.span, -maps.E2BIG)


def _apply(writer: Writer, kind: AggregateType, *, slot: str, number: str, repeat: str, is_ours: bool) -> None:
    def add(index: str, amount: str) -> None:
        cell = f"{slot}[{index}]" if index != "0" else f"*{slot}"
        address = f"&{cell}" if index != "0" else slot
        writer.emit(f"{cell} += {amount};" if is_ours else f"__sync_fetch_and_add({address}, {amount});")

    match kind.kind:
        case Aggregation.COUNT:
            add("0", number if number == "1" else f"(u64){number}")
        case Aggregation.SUM:
            add("0", f"(u64){number}")
        case Aggregation.AVG | Aggregation.STATS:
            add("0", f"(u64){number}")
            add("1", "1")
        case Aggregation.MIN | Aggregation.MAX:
            order = "<" if kind.kind is Aggregation.MIN else ">"
            cast = "(s64)" if kind.signed else ""
            with writer.block(f"if (!{slot}[1] || {number} {order} {cast}{slot}[0])"):
                writer.emit(f"{slot}[0] = {number};")
                writer.emit(f"{slot}[1] = 1;")
        case Aggregation.HIST:
            bits = kind.parameters[0]
            name = writer.module.need("histogram_bucket")
            signed = "s64" if kind.signed else "u64"
            bucket = writer.temp_of("u64", f"{name}({number}, {bits}, {1 if signed == 's64' else 0})", "bucket")
            writer.opaque(bucket)
            writer.opaque(bucket)
            with writer.block(f"if ({bucket} < {hist_buckets(bits)})"):
                add(bucket, repeat)
        case Aggregation.LHIST:
            low, high, step = kind.parameters
            name = writer.module.need("linear_bucket")
            bucket = writer.temp_of(
                "u64", f"{name}({number}, {low}LL, {high}LL, {step}ULL, {1 if kind.signed else 0})", "bucket"
            )
            writer.opaque(bucket)
            writer.opaque(bucket)
            with writer.block(f"if ({bucket} < {lhist_buckets(low, high, step)})"):
                add(bucket, repeat)


def _time_series(writer: Writer, kind: AggregateType, *, slot: str, number: str, now: str) -> None:
    """Per interval {value, count, epoch}: an interval that comes round again starts from nothing.

    epoch is the interval's number since boot plus one, so that 0 says "never used". count: for avg and stats how many
    values `value` sums; for the latest value its own time in nanoseconds since boot.
    """
    interval, intervals = kind.parameters
    now = writer.temp_of("u64", now, "now")
    epoch = writer.temp_of("u64", f"{now} / {interval}ULL", "epoch")
    index = writer.temp_of("u64", f"{epoch} % {intervals}", "index")
    writer.opaque(index)
    with writer.block(f"if ({index} < {intervals})"):
        cell = writer.temp_of("u64 *", f"{slot} + {index} * 3", "cell")
        fresh = writer.temp_of("u8", f"{cell}[2] != {epoch} + 1", "fresh")
        with writer.block(f"if ({fresh})"):
            writer.emit(f"{cell}[0] = 0;")
            writer.emit(f"{cell}[1] = 0;")
            writer.emit(f"{cell}[2] = {epoch} + 1;")
        match kind.inner:
            case None:
                with writer.block(f"if ({now} > {cell}[1])"):
                    writer.emit(f"{cell}[0] = {number};")
                    writer.emit(f"{cell}[1] = {now};")
            case Aggregation.AVG | Aggregation.STATS | Aggregation.SUM | Aggregation.COUNT:
                writer.emit(f"{cell}[0] += {number};")
                writer.emit(f"{cell}[1] += 1;")
            case Aggregation.MIN | Aggregation.MAX:
                order = "<" if kind.inner is Aggregation.MIN else ">"
                cast = "(s64)" if kind.signed else ""
                with writer.block(f"if ({fresh} || {number} {order} {cast}{cell}[0])"):
                    writer.emit(f"{cell}[0] = {number};")
                    writer.emit(f"{cell}[1] = 1;")
            case _:
                raise CodegenError(f"no time series of {kind.inner.value}()")


def read(writer: Writer, where: maps.Target, type_: Type) -> str:
    """The number that an aggregate is in an expression: merged over the CPUs."""
    total, count = _merged(writer, where)
    if _aggregate(where).kind is Aggregation.AVG:
        total = _mean(writer, where, total=total, count=count)
    return f"({c_type(type_)}){total}"


def read_stats(writer: Writer, where: maps.Target) -> Place:
    """What stats() collected, merged over the CPUs, as the record that type_rules.stats_record describes."""
    total, count = _merged(writer, where)
    mean = writer.temp_of("u64", _mean(writer, where, total=total, count=count), "mean")
    record = writer.buffer(24, "stats")
    for offset, number in ((0, count), (8, mean), (16, total)):
        places.store_scalar(writer, record.at(offset), "u64", number)
    return record


def _aggregate(where: maps.Target) -> AggregateType:
    assert isinstance(where.typed.value, AggregateType)
    return where.typed.value


def _merged(writer: Writer, where: maps.Target) -> tuple[str, str]:
    """(total or extreme, how many values): variables of the C program."""
    cpus = max(writer.module.facts.cpu_count(), 1) if where.is_per_cpu else 1
    total = writer.temp_of("u64", "0", "total")
    count = writer.temp_of("u64", "0", "values")
    cpu = writer.fresh("cpu")
    with writer.block(f"for (u32 {cpu} = 0; {cpu} < {cpus}; {cpu}++)"):
        source = (
            f"bpf_map_lookup_percpu_elem({where.macro}, {where.key}, {cpu})"
            if where.is_per_cpu
            else f"bpf_map_lookup_elem({where.macro}, {where.key})"
        )
        part = writer.temp_of("u64 *", source, "part")
        with writer.block(f"if ({part})"):
            _merge(writer, _aggregate(where), part=part, total=total, count=count)
    return total, count


def _mean(writer: Writer, where: maps.Target, *, total: str, count: str) -> str:
    if _aggregate(where).signed:
        divide = writer.module.need("signed_divide")
        return f"{divide}((s64){total}, (s64){count})"
    return f"({count} ? {total} / {count} : 0)"


def _merge(writer: Writer, value: AggregateType, *, part: str, total: str, count: str) -> None:
    match value.kind:
        case Aggregation.COUNT | Aggregation.SUM:
            writer.emit(f"{total} += *{part};")
        case Aggregation.AVG | Aggregation.STATS:
            writer.emit(f"{total} += {part}[0];")
            writer.emit(f"{count} += {part}[1];")
        case Aggregation.MIN | Aggregation.MAX:
            order = "<" if value.kind is Aggregation.MIN else ">"
            cast = "(s64)" if value.signed else ""
            with writer.block(f"if ({part}[1] && (!{count} || {cast}{part}[0] {order} {cast}{total}))"):
                writer.emit(f"{total} = {part}[0];")
                writer.emit(f"{count} = 1;")
        case _:
            raise CodegenError(f"{value.kind.value}() has no single number")
