"""Map functions, events, loops, functions and builtins, run in the kernel."""

from __future__ import annotations

import ctypes
import os
import struct
import threading
from pathlib import Path

import pytest

from kernel.codegen_run import (
    AT,
    begin,
    evaluated_all,
    keyed_map,
    local,
    number,
    program,
    ran,
    result,
    scalar_map,
    set_map,
    text,
    variable,
)
from tracejob_agent.accounting import read_counters
from tracejob_agent.bpf.loader import LoadedPlan
from tracejob_agent.bpf.maps import BpfMap
from tracejob_agent.bpf.ring_buffer import RingBuffer
from tracelang import ir
from tracelang.ir import IntrinsicKind as Kind
from tracelang.plan import (
    BpfMapKind,
    CompileOptions,
    Counter,
    EventField,
    EventKind,
    EventSpec,
    MapRole,
    ScopeOptions,
)
from tracelang.types import (
    BOOL,
    S32,
    S64,
    U8,
    U32,
    U64,
    AddressSpace,
    AggregateType,
    Aggregation,
    ArrayType,
    BufferType,
    InetType,
    MacType,
    PointerType,
    StackMode,
    StackType,
    StringType,
    TupleType,
    UsymType,
    hist_buckets,
    lhist_buckets,
)

pytestmark = pytest.mark.kernel

SMALL = CompileOptions(ring_bytes=1 << 16)


# --- map functions ---


def aggregate_map(name: str, kind: AggregateType, key: bool = False) -> ir.TypedMap:
    if key:
        return keyed_map(name, S64, kind, BpfMapKind.PERCPU_HASH)
    return scalar_map(name, kind, BpfMapKind.PERCPU_ARRAY)


def counted(name: str, kind: AggregateType, value: int | None, key: int | None = None) -> ir.Aggregate:
    argument = None if value is None else number(value, S64 if kind.signed else U64)
    return ir.Aggregate(AT, name, None if key is None else number(key), kind, argument)


COUNT, SUM = AggregateType(Aggregation.COUNT), AggregateType(Aggregation.SUM, signed=True)
MIN, MAX = AggregateType(Aggregation.MIN, signed=True), AggregateType(Aggregation.MAX, signed=True)
AVG, STATS = AggregateType(Aggregation.AVG, signed=True), AggregateType(Aggregation.STATS)


@pytest.mark.parametrize("keyed", [False, True], ids=["scalar", "keyed"])
def test_aggregates_read_back_as_numbers(keyed: bool) -> None:
    kinds = {"c": COUNT, "s": SUM, "lo": MIN, "hi": MAX, "a": AVG}
    maps = [aggregate_map(name, kind, keyed) for name, kind in kinds.items()]
    key = 7 if keyed else None
    updates: list[ir.Stmt] = []
    for value in (-4, 10, -9):
        updates.append(counted("c", COUNT, None, key))
        updates.extend(counted(name, kinds[name], value, key) for name in ("s", "lo", "hi", "a"))
    reads: list[ir.Expr] = [
        ir.MapValue(AT, S64, name, None if key is None else number(key)) for name in ("c", "s", "lo", "hi", "a")
    ]
    assert evaluated_all(reads, *maps, before=updates) == [3, -3, -9, 10, -1]


def buckets(typed: ir.TypedProgram, name: str, count: int, key: bytes = bytes(4)) -> dict[int, int]:
    with ran(typed, SMALL) as live:
        values = live.by_name(name).lookup(key)
        assert values is not None
        totals = [
            sum(cells) for cells in zip(*(struct.unpack_from(f"<{count}Q", value) for value in values), strict=True)
        ]
    return {index: total for index, total in enumerate(totals) if total}


def test_histograms_put_numbers_into_the_buckets_of_their_powers() -> None:
    kind = AggregateType(Aggregation.HIST, signed=True, parameters=(0,))
    values = (-5, 0, 1, 2, 3, 4, 1023, 1024, 2**62)
    typed = program(begin(*(counted("h", kind, value) for value in values)), aggregate_map("h", kind))
    assert buckets(typed, "h", hist_buckets(0)) == {0: 1, 1: 1, 2: 1, 3: 2, 4: 1, 11: 1, 12: 1, 64: 1}


def test_a_finer_histogram_divides_each_power() -> None:
    kind = AggregateType(Aggregation.HIST, signed=True, parameters=(2,))
    values = (-1, 0, 3, 4, 5, 7, 8, 9, 10, 2**62 + 2**61)
    typed = program(begin(*(counted("h", kind, value) for value in values)), aggregate_map("h", kind))
    top = (62 - 2 + 1) * 4 + 2 + 1
    assert buckets(typed, "h", hist_buckets(2)) == {0: 1, 1: 1, 4: 1, 5: 1, 6: 1, 8: 1, 9: 2, 10: 1, top: 1}


def test_linear_histograms_have_a_bucket_below_and_one_above() -> None:
    kind = AggregateType(Aggregation.LHIST, signed=True, parameters=(-10, 100, 20))
    values = (-11, -10, 9, 10, 99, 100, 5000)
    typed = program(begin(*(counted("h", kind, value, key=1) for value in values)), aggregate_map("h", kind, key=True))
    count = lhist_buckets(-10, 100, 20)
    assert buckets(typed, "h", count, key=struct.pack("<q", 1)) == {0: 1, 1: 2, 2: 1, 6: 1, 7: 2}


def test_updates_that_a_full_map_refuses_are_counted() -> None:
    updates: list[ir.Stmt] = [counted("c", COUNT, None, key) for key in range(5)]
    updates += [set_map("m", number(1), number(key)) for key in range(6)]
    updates += [ir.Evaluate(AT, ir.MapAdd(AT, S64, "n", number(key), number(1), postfix=True)) for key in range(7)]
    maps = (
        keyed_map("c", S64, COUNT, BpfMapKind.PERCPU_HASH, entries=2),
        keyed_map("m", S64, entries=2),
        keyed_map("n", S64, entries=2),
    )
    with ran(program(begin(*updates), *maps), SMALL) as live:
        assert counter(live, Counter.MAP_FULL) == 3 + 4 + 5


def counter(live: LoadedPlan, what: Counter, program: int = 0) -> int:
    return read_counters(live)[program][what]


# --- events ---


def events_of(typed: ir.TypedProgram, options: CompileOptions = SMALL) -> list[bytes]:
    with ran(typed, options) as live:
        ring = live.by_role(MapRole.EVENTS)
        assert ring is not None
        return records_in(ring)


def records_in(ring: BpfMap) -> list[bytes]:
    records: list[bytes] = []
    with RingBuffer(ring) as reader:
        reader.consume(lambda _, record: records.append(bytes(record)))
    return records


def test_an_event_holds_its_arguments_where_the_spec_says() -> None:
    pair = TupleType((U8, S64))
    fields = (
        EventField(8, S32),
        EventField(12, U8),
        EventField(13, StringType(11)),
        EventField(24, pair),
        EventField(40, StringType(40)),
        EventField(80, StringType(16)),
    )
    spec = EventSpec(0, EventKind.PRINTF, 96, fields, "...")
    arguments = (
        number(-7, S32),
        number(200, U8),
        text(b"hello", 11),
        ir.MakeTuple(AT, pair, (number(1, U8), number(-2))),
        ir.Local(AT, StringType(40), 0),
        ir.Intrinsic(AT, StringType(16), Kind.COMM),
    )
    keep = ir.SetLocal(AT, 0, text(b"kept in a variable", 40))
    probe = begin(keep, ir.Emit(AT, 0, arguments), locals=[variable(StringType(40))])
    (record,) = events_of(program(probe, events=(spec,)))
    assert struct.unpack_from("<QiB", record) == (0, -7, 200)
    assert record[13:24] == b"hello" + bytes(6)
    assert record[24] == 1
    assert record[25:32] == bytes(7)
    assert struct.unpack_from("<q", record, 32) == (-2,)
    assert record[40:80].split(b"\0")[0] == b"kept in a variable"
    assert record[80:96].rstrip(b"\0") == Path("/proc/thread-self/comm").read_bytes().strip()


def test_a_full_ring_is_counted_and_so_is_the_rate_limit() -> None:
    spec = EventSpec(0, EventKind.PRINTF, 1032, (EventField(8, StringType(1024)),), "%s")
    emit = ir.Emit(AT, 0, (text(b"x", 1024),))
    with ran(program(begin(*[emit] * 8), events=(spec,)), CompileOptions(ring_bytes=4096)) as live:
        assert counter(live, Counter.RING_FULL) == 5
    limited = CompileOptions(ring_bytes=1 << 16, events_per_second=3)
    with ran(program(begin(*[emit] * 8), events=(spec,)), limited) as live:
        assert counter(live, Counter.RATE_LIMITED) in (5, 2)  # 2: a second began in between


# --- control flow ---


def test_if_predicate_and_return() -> None:
    set_r = set_map("r", number(1))
    taken = ir.If(AT, number(0, BOOL), (set_map("r", number(2)),), (set_map("r", number(3)), ir.Return(AT, None)))
    with ran(program(begin(set_r, taken, set_map("r", number(4))), scalar_map("r")), SMALL) as live:
        assert result(live) == 3
    never = begin(set_map("r", number(5)), predicate=number(0, BOOL))
    with ran(program(never, scalar_map("r")), SMALL) as live:
        assert result(live) == 0


def plus(left: ir.Expr, right: ir.Expr) -> ir.Expr:
    return ir.Arithmetic(AT, S64, "+", left, right)


def less(left: ir.Expr, right: ir.Expr) -> ir.Expr:
    return ir.Compare(AT, BOOL, "<", left, right)


def test_while_runs_until_its_condition_fails_or_it_breaks() -> None:
    step = ir.SetLocal(AT, 0, plus(local(0), number(1)))
    to_thousand = ir.While(AT, less(local(0), number(1000)), (step,))
    breaks = ir.While(
        AT,
        number(1, BOOL),
        (step, ir.If(AT, less(number(1499), local(0)), (ir.Break(AT),), ()), ir.Continue(AT)),
    )
    typed = program(
        begin(to_thousand, set_map("r", local(0)), breaks, set_map("s", local(0)), locals=[variable()]),
        scalar_map("r"),
        scalar_map("s"),
    )
    with ran(typed, SMALL) as live:
        assert (result(live), result(live, "s")) == (1000, 1500)


def test_ranges_nest_and_return_leaves_all() -> None:
    total = ir.SetLocal(AT, 0, plus(local(0), plus(ir.Arithmetic(AT, S64, "*", local(1), number(10)), local(2))))
    inner = ir.ForRange(AT, 2, number(0), number(3), (total,))
    outer = ir.ForRange(AT, 1, number(-1), number(4), (inner,))
    leave = ir.ForRange(
        AT,
        1,
        number(0),
        number(10),
        (ir.If(AT, less(number(4), local(1)), (set_map("s", local(1)), ir.Return(AT, None)), ()),),
    )
    probe = begin(
        outer,
        set_map("r", local(0)),
        leave,
        set_map("s", number(-1)),
        locals=[variable(name="sum"), variable(name="i"), variable(name="j")],
    )
    with ran(program(probe, scalar_map("r"), scalar_map("s")), SMALL) as live:
        assert result(live) == sum(i * 10 + j for i in range(-1, 4) for j in range(3))
        assert result(live, "s") == 5


def test_a_loop_over_a_map_sees_every_entry() -> None:
    pair = TupleType((S64, S64))
    kv = ir.Local(AT, pair, 0)
    fill: list[ir.Stmt] = [set_map("m", number(key * key), number(key)) for key in range(1, 6)]
    fill += [counted("c", COUNT, None, key) for key in (1, 1, 2)]
    both = plus(ir.Member(AT, S64, kv, 0), ir.Member(AT, S64, kv, 8))
    body = ir.SetLocal(AT, 1, plus(local(1), both))
    probe = begin(
        *fill,
        ir.ForMap(AT, 0, "m", (body,)),
        set_map("r", local(1)),
        ir.SetLocal(AT, 1, number(0)),
        ir.ForMap(AT, 0, "c", (body,)),
        set_map("s", local(1)),
        set_map("n", ir.Intrinsic(AT, S64, Kind.MAP_LENGTH, (), {"map": "m"})),
        locals=[variable(pair, "kv"), variable(name="sum")],
    )
    typed = program(
        probe,
        scalar_map("r"),
        scalar_map("s"),
        scalar_map("n"),
        keyed_map("m", S64),
        aggregate_map("c", COUNT, key=True),
    )
    with ran(typed, SMALL) as live:
        assert result(live) == 15 + 55
        assert result(live, "s") == (1 + 2) + (2 + 1)
        assert result(live, "n") == 5


def test_a_loop_over_string_keys_prints_them() -> None:
    pair = TupleType((StringType(24), S64))
    spec = EventSpec(0, EventKind.PRINTF, 40, (EventField(8, StringType(24)), EventField(32, S64)), "%s %d")
    kv = ir.Local(AT, pair, 0)
    emit = ir.Emit(AT, 0, (ir.Member(AT, StringType(24), kv, 0), ir.Member(AT, S64, kv, 24)))
    probe = begin(
        set_map("m", number(1), text(b"one", 24)),
        set_map("m", number(2), text(b"two", 24)),
        ir.ForMap(AT, 0, "m", (emit,)),
        locals=[variable(pair, "kv")],
    )
    records = events_of(program(probe, keyed_map("m", StringType(24)), events=(spec,)))
    found = {(record[8:32].split(b"\0")[0], struct.unpack_from("<q", record, 32)[0]) for record in records}
    assert found == {(b"one", 1), (b"two", 2)}


def test_functions_take_and_give_values() -> None:
    square = ir.TypedSubprogram(
        "square", (0,), (variable(name="n"),), S64, (ir.Return(AT, ir.Arithmetic(AT, S64, "*", local(0), local(0))),)
    )
    word = StringType(48)
    greet = ir.TypedSubprogram(
        "greet",
        (0,),
        (variable(word, "who"),),
        word,
        (ir.Return(AT, ir.Intrinsic(AT, word, Kind.STRING_CAT, (text(b"hi "), ir.Local(AT, word, 0)))),),
    )
    looping = ir.TypedSubprogram(
        "looping",
        (0,),
        (variable(name="n"), variable(name="sum"), variable(name="i")),
        S64,
        (
            ir.ForRange(AT, 2, number(0), local(0), (ir.SetLocal(AT, 1, plus(local(1), local(2))),)),
            ir.Return(AT, local(1)),
        ),
    )
    greeting = ir.SubprogramCall(AT, word, "greet", (text(b"you", 48),))
    same = ir.StringCompare(AT, BOOL, greeting, text(b"hi you"), None, True)
    probe = begin(
        set_map("r", ir.SubprogramCall(AT, S64, "square", (number(-12),))),
        set_map("s", ir.Convert(AT, S64, same)),
        set_map("t", ir.SubprogramCall(AT, S64, "looping", (number(5),))),
    )
    typed = program(probe, scalar_map("r"), scalar_map("s"), scalar_map("t"), subprograms=(square, greet, looping))
    with ran(typed, SMALL) as live:
        assert (result(live), result(live, "s"), result(live, "t")) == (144, 1, 10)


# --- builtins ---


def builtin(kind: Kind, *arguments: ir.Expr, type_: object = U64, **constants: int | str) -> ir.Expr:
    return ir.Intrinsic(AT, type_, kind, arguments, dict(constants))  # type: ignore[arg-type]  # plain values


def test_builtins_tell_about_this_thread() -> None:
    got = evaluated_all(
        [
            builtin(Kind.PID),
            builtin(Kind.TID),
            builtin(Kind.UID),
            builtin(Kind.GID),
            builtin(Kind.PPID),
            builtin(Kind.CPU),
            builtin(Kind.NSECS, clock="boot"),
            builtin(Kind.NSECS, clock="monotonic"),
            builtin(Kind.NSECS, clock="tai"),
            builtin(Kind.NSECS, clock="sw_tai"),
            builtin(Kind.ELAPSED),
            builtin(Kind.JIFFIES),
            builtin(Kind.CURTASK),
            builtin(Kind.RANDOM, type_=U32),
            builtin(Kind.NUMA),
            builtin(Kind.CGROUP_ID),
            builtin(Kind.PROBE_ID, id=3),
        ]
    )
    host = host_numbers()
    assert got[0] == host[0]
    assert got[1] == host[1]
    assert got[2:4] == [os.getuid(), os.getgid()]
    assert got[4] > 0
    assert 0 <= got[5] < 4096
    assert all(moment > 0 for moment in got[6:12])
    assert got[16] == 3


def host_numbers() -> tuple[int, int]:
    """(pid, tid) at the kernel's own level: the first number of NSpid, where we can see it."""
    return os.getpid(), threading.get_native_id()


def test_pid_at_the_level_of_a_namespace_is_the_number_of_that_level() -> None:
    """Level 0 read by way of struct pid agrees with the helper's answer."""
    inner = evaluated_all([builtin(Kind.PID_INNER), builtin(Kind.TID_INNER)])
    lines = dict(line.split(":", 1) for line in Path("/proc/thread-self/status").read_text().splitlines())
    assert inner == [int(lines["NStgid"].split()[-1]), int(lines["NSpid"].split()[-1])]


def test_strings_and_buffers_are_read_from_user_memory() -> None:
    data = ctypes.create_string_buffer(b"from user space")
    address = ir.Constant(AT, PointerType(U8, AddressSpace.USER), ctypes.addressof(data))
    whole = builtin(Kind.READ_STRING, address, type_=StringType(64), space="user")
    short = builtin(Kind.READ_STRING, address, number(4), type_=StringType(64), space="user")
    spec = EventSpec(
        0,
        EventKind.PRINTF,
        8 + 64 + 64 + 20 + 4,
        (EventField(8, StringType(64)), EventField(72, StringType(64)), EventField(136, BufferType(16))),
        "",
    )
    buffer = builtin(Kind.READ_BUFFER, address, ir.Local(AT, S64, 0), type_=BufferType(16), space="user")
    probe = begin(
        ir.SetLocal(AT, 0, plus(number(2), ir.MapValue(AT, S64, "z", None))),
        ir.Emit(AT, 0, (whole, short, buffer)),
        locals=[variable()],
    )
    (record,) = events_of(program(probe, scalar_map("z"), events=(spec,)))
    assert record[8:72].split(b"\0")[0] == b"from user space"
    assert record[72:136].split(b"\0")[0] == b"fro"  # its size counts the end of the string, as upstream's does
    assert struct.unpack_from("<I", record, 136) == (2,)
    assert record[140:142] == b"fr"


def test_addresses_stacks_and_symbols_fill_their_layouts() -> None:
    bytes_type = ArrayType(U8, 16)
    fields = (
        EventField(8, InetType()),
        EventField(32, InetType()),
        EventField(56, MacType()),
        EventField(64, UsymType()),
        EventField(80, StackType(False, StackMode.BPFTRACE, 16)),
    )
    spec = EventSpec(0, EventKind.PRINTF, 96, fields, "")
    keep = ir.SetLocal(AT, 0, ir.Convert(AT, bytes_type, text(b"0123456789abcde")))
    place = ir.Local(AT, bytes_type, 0)
    arguments = (
        builtin(Kind.NTOP, number(0x0100007F, U32), type_=InetType()),
        builtin(Kind.NTOP, place, type_=InetType()),
        builtin(Kind.MAC, ir.Convert(AT, ArrayType(U8, 6), place), type_=MacType()),
        builtin(Kind.USYM, number(0x1234), type_=UsymType()),
        builtin(Kind.STACK, type_=StackType(False, StackMode.BPFTRACE, 16)),
    )
    probe = begin(keep, ir.Emit(AT, 0, arguments), locals=[variable(bytes_type)])
    with ran(program(probe, events=(spec,)), SMALL) as live:
        ring = live.by_role(MapRole.EVENTS)
        assert ring is not None
        (record,) = records_in(ring)
        stacks = live.by_role(MapRole.STACKS)
        assert stacks is not None
        assert struct.unpack_from("<Q4B", record, 8) == (2, 127, 0, 0, 1)
        assert record[32:56] == struct.pack("<Q", 10) + b"0123456789abcde\0"
        assert record[56:62] == b"012345"
        assert struct.unpack_from("<QII", record, 64) == (0x1234, os.getpid(), 0)
        stack, pid, probe_id = struct.unpack_from("<qII", record, 80)
        assert (pid, probe_id) == (0, 0)
        assert stack >= 0
        frames = stacks.lookup(struct.pack("<q", stack))
        assert frames is not None
        assert struct.unpack_from("<Q", frames[0])[0] > 1 << 63


def test_kernel_structs_are_read_by_offset() -> None:
    from tracejob_agent.kernel.host_facts import HostFacts

    task = HostFacts().struct("struct task_struct")
    assert task is not None
    pointer = builtin(Kind.CURTASK, type_=PointerType(U8, AddressSpace.KERNEL))
    base = ir.Dereference(AT, ArrayType(U8, task.size), pointer, AddressSpace.KERNEL)
    tgid = ir.Member(AT, S32, base, task.members["tgid"].offset, "curtask->tgid */ x")
    comm = ir.Member(AT, StringType(16), base, task.members["comm"].offset, "curtask->comm")
    same = ir.StringCompare(AT, BOOL, comm, ir.Intrinsic(AT, StringType(16), Kind.COMM), None, True)
    assert evaluated_all([tgid, same]) == [os.getpid(), 1]


# --- scope ---


def test_a_scoped_program_runs_for_its_targets_only() -> None:
    from tracelang.structs import replace

    probe = replace(begin(set_map("r", number(1))), scoped=True)
    options = CompileOptions(ring_bytes=1 << 16, scope=ScopeOptions("pids"))
    with ran(program(probe, scalar_map("r")), options) as live:
        assert result(live) == 0
        pids = live.by_role(MapRole.SCOPE_PIDS)
        assert pids is not None
        pids.update(struct.pack("<I", os.getpid()), b"\1")
        from tracejob_agent.bpf.objects import test_run as run_once

        run_once(live.programs[0].descriptor)
        assert result(live) == 1
    cgroups = CompileOptions(ring_bytes=1 << 16, scope=ScopeOptions("cgroups", 4))
    with ran(program(probe, scalar_map("r")), cgroups) as live:
        assert result(live) == 0
