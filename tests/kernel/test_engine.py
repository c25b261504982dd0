"""The compiler child, the loader, maps and the ring buffer on this kernel, with programs written by hand."""

from __future__ import annotations

import os
import select
import struct

import pytest

from kernel.plans import (
    COUNTERS_MAP,
    EVENTS,
    EVENTS_MAP,
    HITS,
    HITS_MAP,
    compiled,
    plan,
    program,
)
from tracejob_agent.accounting import read_counters
from tracejob_agent.bpf.compiler import CompilerChild
from tracejob_agent.bpf.instructions import instruction
from tracejob_agent.bpf.loader import load
from tracejob_agent.bpf.maps import BpfMap, sum_of_cpus
from tracejob_agent.bpf.objects import load_program, test_run
from tracejob_agent.bpf.ring_buffer import RingBuffer
from tracejob_agent.errors import CompileFault, MapError, VerifierError
from tracejob_agent.kernel.cpus import possible_cpus
from tracelang.plan import BpfMapKind, Counter, MapSpec, ProgramType

pytestmark = pytest.mark.usefixtures("nothing_left")

run_once = test_run
del test_run  # not a test


def test_text_that_clang_refuses_is_a_fault_with_clangs_words() -> None:
    with CompilerChild.start() as compiler, pytest.raises(CompileFault) as caught:
        compiler.compile("int tj_x(void *ctx) { return missing; }", ["tj_x"])
    assert "program.c:1:" in caught.value.log
    assert "missing" in caught.value.log


def test_a_stack_that_ends_the_compilers_process_is_a_fault_and_not_our_end() -> None:
    text = """
    void *opaque(void *);
    __attribute__((section(".bpf.fn.tj_x"))) int tj_x(void *ctx) {
      volatile char big[600];
      for (int i = 0; i < 600; i++) big[i] = bpf_get_prandom_u32();
      return big[17];
    }
    """
    with CompilerChild.start() as compiler, pytest.raises(CompileFault):
        compiler.compile(text, ["tj_x"])


def test_a_killed_compiler_is_a_fault() -> None:
    with CompilerChild.start() as compiler:
        os.kill(compiler.pid, 9)
        with pytest.raises(CompileFault, match="SIGKILL"):
            compiler.compile("int tj_x(void *ctx) { return 0; }", ["tj_x"])


def test_the_compiler_keeps_no_descriptor_whose_end_somebody_waits_for() -> None:
    """The agent reads the front end's answer to its end, and the compiler takes milliseconds to be taken apart."""
    reader, writer = os.pipe()
    with CompilerChild.start(closed=(writer,)) as compiler:
        os.close(writer)
        ready, _, _ = select.select([reader], [], [], 30)
        assert ready and os.read(reader, 1) == b""
        os.kill(compiler.pid, 0)  # it is there yet
    os.close(reader)


def test_callbacks_are_linked_behind_their_program() -> None:
    text = """
    struct sum { u64 total; };
    PROGRAM(tj_add)(u64 index, struct sum *sum) { sum->total += index; return 0; }
    PROGRAM(tj_loop)(void *ctx) {
      struct sum sum = {};
      bpf_loop(101, (void *)bpf_pseudo_fd(4, 0), &sum, 0);
      count(sum.total);
      return 0;
    }
    """
    spec = program("tj_loop", ProgramType.RAW_TRACEPOINT, callbacks=("tj_add",))
    with load(plan(spec), compiled(text, "tj_loop", "tj_add")) as loaded:
        run_once(loaded.programs[0].descriptor)
        ((key, values),) = loaded.maps[HITS].entries()
        assert (int.from_bytes(key, "little"), sum_of_cpus(values)) == (5050, 1)


def test_the_verifiers_refusal_keeps_its_log_and_the_place() -> None:
    code = instruction(0xB7) + instruction(0x79, dst=1, src=0, offset=0) + instruction(0x95)
    with pytest.raises(VerifierError) as caught:
        load_program(code, name="tj_bad", type_=ProgramType.RAW_TRACEPOINT.value)
    assert caught.value.instruction == 1
    assert "R0 invalid mem access" in caught.value.complaint
    assert "R0 invalid mem access" in caught.value.log


def test_a_map_that_the_kernel_refuses_is_named() -> None:
    with pytest.raises(MapError, match="tj_huge"):
        BpfMap(MapSpec(0, "tj_huge", BpfMapKind.HASH, 8, 1 << 30, 1))


@pytest.mark.parametrize("kind", [BpfMapKind.HASH, BpfMapKind.PERCPU_HASH])
@pytest.mark.parametrize("count", [0, 1, 5000])
def test_all_entries_of_a_hash_are_read_whatever_their_number(kind: BpfMapKind, count: int) -> None:
    made = BpfMap(MapSpec(0, "tj_many", kind, 8, 12, 8192))
    try:
        for number in range(count):
            made.set(number.to_bytes(8, "little"), struct.pack("<QI", number * 3, 7))
        entries = dict(made.entries())
        assert len(entries) == count
        copies = possible_cpus() if made.is_per_cpu else 1
        for number in range(count):
            expected = (struct.pack("<QI", number * 3, 7),) * copies
            assert entries[number.to_bytes(8, "little")] == expected
        made.clear()
        assert made.entries() == []
    finally:
        made.close()


def test_zero_keeps_the_keys_and_an_array_is_cleared_to_zero() -> None:
    made = BpfMap(MapSpec(0, "tj_zero", BpfMapKind.HASH, 8, 8, 16))
    array = BpfMap(MapSpec(0, "tj_array", BpfMapKind.PERCPU_ARRAY, 4, 8, 1))
    try:
        made.set(bytes(8), b"\1" * 8)
        made.zero()
        assert made.entries() == [(bytes(8), (bytes(8),))]
        array.set(bytes(4), b"\1" * 8)
        array.clear()
        assert array.lookup(bytes(4)) == (bytes(8),) * possible_cpus()
    finally:
        made.close()
        array.close()


EMIT = """
struct event { u64 id; u64 number; };
PROGRAM(tj_emit)(u64 *ctx) {
  struct event *event = bpf_ringbuf_reserve(MAP(1), sizeof(*event), 0);
  if (!event) {
    lost(0);
    return 0;
  }
  event->id = 9;
  event->number = ctx[0];
  if (ctx[0] % 10 == 3) bpf_ringbuf_discard(event, 1);
  else bpf_ringbuf_submit(event, 1);
  return 0;
}
"""


def test_every_event_is_read_in_order_or_counted_as_lost() -> None:
    """64 KiB hold 2730 records of 24 bytes; what is discarded isn't an event."""
    spec = program("tj_emit", ProgramType.RAW_TRACEPOINT)
    seen: list[int] = []

    def handle(event: int, record: memoryview) -> None:
        assert event == 9
        seen.append(int.from_bytes(record[8:16], "little"))

    with (
        load(plan(spec, maps=(HITS_MAP, EVENTS_MAP, COUNTERS_MAP)), compiled(EMIT, "tj_emit")) as loaded,
        RingBuffer(loaded.maps[EVENTS]) as ring,
    ):
        descriptor = loaded.programs[0].descriptor
        generated = 0
        for round_size in (5, 1000, 5000, 2000):
            for _ in range(round_size):
                run_once(descriptor, struct.pack("<Q", generated))
                generated += 1
            while ring.consume(handle, limit=300):
                pass
        lost = read_counters(loaded)[0][Counter.RING_FULL]
    assert lost > 0
    assert seen == sorted(seen)
    assert not [number for number in seen if number % 10 == 3]
    # Whatever was reserved and not discarded came: the first thousand in full, and none more than once.
    assert len(set(seen)) == len(seen)
    assert [number for number in seen if number < 1005] == [number for number in range(1005) if number % 10 != 3]
    discarded = generated - lost - len(seen)
    assert 0 < discarded <= generated // 10 + 1
