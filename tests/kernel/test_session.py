"""A whole session with programs written by hand: the order of things, exit(), map actions, and what is left behind."""

from __future__ import annotations

import os
import struct
import time

import pytest

from kernel.plans import COUNTERS_MAP, EVENTS_MAP, HITS_MAP, attachment, compiled, plan, program
from kernel.recorder import Recorder
from tracejob_agent.bpf.maps import sum_of_cpus
from tracejob_agent.compilation import prepare_here
from tracejob_agent.kernel.host_facts import HostFacts
from tracejob_agent.session import NoController, Session, SessionOptions
from tracejob_agent.sink import End
from tracelang.plan import (
    CompileOptions,
    EventField,
    EventKind,
    EventSpec,
    MapSpec,
    Plan,
    ProgramSpec,
    ProgramType,
    UserMap,
)
from tracelang.structs import replace
from tracelang.types import U8, U64, AggregateType, Aggregation

pytestmark = pytest.mark.usefixtures("nothing_left")

PRINT, EXIT, CLEAR, SHOW = 0, 1, 2, 3
NUMBER = (EventField(8, U64),)
EVENTS = (
    EventSpec(PRINT, EventKind.PRINTF, 16, NUMBER),
    EventSpec(EXIT, EventKind.EXIT, 16, (EventField(8, U8),)),
    EventSpec(CLEAR, EventKind.CLEAR_MAP, 8, map="hits"),
    EventSpec(SHOW, EventKind.PRINT_MAP, 8, map="hits"),
)
TEXT = """
struct event { u64 id; u64 number; };
static __always_inline void emit(u64 id, u64 number) {
  struct event *event = bpf_ringbuf_reserve(MAP(1), sizeof(*event), 0);
  if (!event) {
    lost(0);
    return;
  }
  event->id = id;
  event->number = number;
  bpf_ringbuf_submit(event, 1);
}
PROGRAM(tj_begin)(void *ctx) { emit(0, 1); return 0; }
PROGRAM(tj_begin_exit)(void *ctx) { emit(0, 1); emit(1, 7); emit(0, 2); return 0; }
PROGRAM(tj_end)(void *ctx) { emit(0, 99); return 0; }
PROGRAM(tj_call)(void *ctx) {
  if (bpf_get_current_pid_tgid() >> 32 == %d) {
    count(4);
    emit(0, 50);
  }
  return 0;
}
PROGRAM(tj_tick)(void *ctx) { emit(3, 0); emit(2, 0); emit(3, 0); emit(1, 3); emit(0, 1000); return 0; }
"""
NAMES = ("tj_begin", "tj_begin_exit", "tj_end", "tj_call", "tj_tick")
RAW = ProgramType.RAW_TRACEPOINT
USER_MAP = replace(HITS_MAP, user=UserMap("hits", U64, AggregateType(Aggregation.COUNT), per_cpu=True))


@pytest.fixture(scope="module")
def functions() -> dict[str, bytes]:
    return compiled(TEXT % os.getpid(), *NAMES)


def session_plan(*programs: ProgramSpec, maps: tuple[MapSpec, ...] = (USER_MAP, EVENTS_MAP, COUNTERS_MAP)) -> Plan:
    return replace(plan(*programs, maps=maps), events=EVENTS)


def numbers(recorder: Recorder) -> list[int]:
    return [struct.unpack_from("<Q", record, 8)[0] for event, record in recorder.events if event == PRINT]


CALL = program(
    "tj_call", ProgramType.TRACEPOINT, attachment("tracepoint", target="syscalls", function="sys_enter_getpgid")
)
BEGIN = program("tj_begin", RAW, attachment("begin"))
END = program("tj_end", RAW, attachment("end"))


class Caller(NoController):
    """Makes the calls once attached, ends the session then."""

    def __init__(self, calls: int) -> None:
        self.calls = calls

    def attached(self) -> None:
        for _ in range(self.calls):
            os.getpgid(0)

    def poll(self) -> End:
        return End.STOPPED


def test_begin_comes_first_and_end_last_and_every_call_is_counted(functions: dict[str, bytes]) -> None:
    recorder = Recorder()
    finish = Session(session_plan(BEGIN, CALL, END), functions, sink=recorder, controller=Caller(500)).run()
    assert recorder.calls[:2] == ["started", "attached"]
    assert recorder.calls[-1] == "finished"
    assert numbers(recorder) == [1] + [50] * 500 + [99]
    (((spec, entries),)) = finish.maps
    assert spec.name == "tj_hits"
    assert [(key, sum_of_cpus(values)) for key, values in entries] == [(struct.pack("<Q", 4), 500)]
    assert finish.reason is End.STOPPED
    assert finish.losses.total() == 0
    assert finish.cost.programs[1].probe == "tj_call"


def test_what_does_not_fit_is_counted_and_nothing_else_is_missing(functions: dict[str, bytes]) -> None:
    recorder = Recorder()
    finish = Session(session_plan(CALL), functions, sink=recorder, controller=Caller(20_000)).run()
    assert finish.losses.ring_full > 0
    assert len(recorder.events) + finish.losses.ring_full == 20_000


def test_many_events_at_once_are_the_same_as_one_by_one(functions: dict[str, bytes]) -> None:
    recorder = Recorder(takes_batches=True)
    finish = Session(session_plan(BEGIN, CALL, END), functions, sink=recorder, controller=Caller(2000)).run()
    assert numbers(recorder) == [1] + [50] * 2000 + [99]
    assert max(recorder.batches) > 100
    assert finish.losses.total() == 0


def test_exit_in_begin_attaches_nothing_and_drops_what_comes_behind_it(functions: dict[str, bytes]) -> None:
    recorder = Recorder()
    begin = program("tj_begin_exit", RAW, attachment("begin"))
    finish = Session(session_plan(begin, CALL, END), functions, sink=recorder, controller=Caller(10)).run()
    assert numbers(recorder) == [1, 99]
    assert (finish.reason, finish.exit_code) == (End.EXIT, 7)
    assert finish.maps[0][1] == []


def test_map_actions_happen_in_the_order_of_the_stream(functions: dict[str, bytes]) -> None:
    recorder = Recorder()
    tick = program("tj_tick", ProgramType.PERF_EVENT, attachment("interval", function="ms:50", period=50_000_000))
    controller = Caller(25)
    controller.poll = lambda: None  # type: ignore[method-assign,return-value]  # the program ends itself
    finish = Session(session_plan(CALL, tick), functions, sink=recorder, controller=controller).run()
    assert [len(entries) for entries in recorder.printed] == [1, 0]
    assert sum_of_cpus(recorder.printed[0][0][1]) == 25
    assert (finish.reason, finish.exit_code) == (End.EXIT, 3)
    assert 1000 not in numbers(recorder)


def test_duration_ends_it_and_not_before(functions: dict[str, bytes]) -> None:
    recorder = Recorder()
    options = SessionOptions(duration=0.5, interval=0.1)
    start = time.monotonic()
    finish = Session(session_plan(CALL), functions, sink=recorder, options=options).run()
    assert finish.reason is End.DURATION
    assert time.monotonic() - start >= 0.5
    assert recorder.calls.count("snapshot") <= 5


def test_snapshots_come_one_an_interval(functions: dict[str, bytes]) -> None:
    """However long a busy machine takes for it, but never faster."""
    recorder = Recorder()
    controller = NoController()
    controller.poll = lambda: End.STOPPED if recorder.calls.count("snapshot") == 3 else None  # type: ignore[method-assign]
    start = time.monotonic()
    options = SessionOptions(interval=0.1)
    Session(session_plan(CALL), functions, sink=recorder, controller=controller, options=options).run()
    assert time.monotonic() - start >= 0.3


def test_the_first_stacks_on_every_processor_are_kept() -> None:
    """Two at once, from an interrupt: the kernel has only one entry set aside on each processor when a map is new."""
    text = f"profile:hz:199 /pid == {os.getpid()}/ {{ @[cpu] = count(); @stacks[kstack, ustack] = count(); }}"
    prepared = prepare_here(text, name="stacks", facts=HostFacts(), options=CompileOptions())
    finish = Session(prepared.plan, prepared.functions, sink=Recorder(), controller=BusyEverywhere()).run()
    assert len(finish.maps[0][1]) == len(os.sched_getaffinity(0))
    assert finish.losses.stacks == 0


class BusyEverywhere(Caller):
    """Works on each processor in turn, long enough to be sampled there."""

    def __init__(self) -> None:
        super().__init__(0)

    def attached(self) -> None:
        allowed = os.sched_getaffinity(0)
        for cpu in allowed:
            os.sched_setaffinity(0, (cpu,))
            until = time.process_time() + 0.1
            while time.process_time() < until:
                os.getpgid(0)
        os.sched_setaffinity(0, allowed)
