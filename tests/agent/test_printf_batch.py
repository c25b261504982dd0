"""Many printf records at once: the text is what one record after the other gives."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracejob_agent.output.names import Names
from tracejob_agent.output.printf import compile_format
from tracejob_agent.output.printf_batch import compile_batch
from tracelang.plan import EventField
from tracelang.types import AddressSpace, IntType, PointerType, StringType, Type

HEADER = 8
SIZE, STRIDE = 48, 56
PID = EventField(8, IntType(32, signed=False))
NAME = EventField(12, StringType(16))
NUMBER = EventField(32, IntType(64, signed=True))
ADDRESS = EventField(40, PointerType(IntType(32, signed=True), AddressSpace.KERNEL))
FORMATS: dict[str, tuple[EventField, ...]] = {
    "hit\n": (),
    "100 %%\n": (),
    "%d\n": (PID,),
    "%5d %-20s|%x\n": (PID, NAME, NUMBER),
    "%s %p\n": (NAME, ADDRESS),
    "%c%08ld\n": (PID, NUMBER),
}


def record(number: int) -> bytes:
    name = b"task-%d" % (number % 3) if number % 5 else b"\xff\x01 not text"
    body = struct.pack("<QI16s4xqQ", 3, number, name, -number, number << 12)
    assert len(body) == SIZE
    return struct.pack("<II", SIZE, 0) + body


@pytest.mark.parametrize("template", FORMATS)
@pytest.mark.parametrize("count", [1, 7, 8, 64, 513, 1100])
def test_a_batch_gives_what_its_records_give(template: str, count: int) -> None:
    fields = FORMATS[template]
    records = [record(number) for number in range(count)]
    single = compile_format(template, fields, Names())
    batch = compile_batch(template, fields, Names(), offset=HEADER, stride=STRIDE)
    assert batch is not None
    assert batch(memoryview(b"".join(records))) == "".join(single(item[HEADER:]) for item in records)


def test_fields_out_of_the_records_order_are_left_to_the_slow_way() -> None:
    assert compile_batch("%s %d", (NAME, PID), Names(), offset=HEADER, stride=STRIDE) is None


@given(st.lists(st.binary(min_size=16, max_size=16), min_size=1, max_size=40))
def test_any_bytes_in_a_string_come_out_as_one_by_one(names: list[bytes]) -> None:
    type_: Type = StringType(16)
    fields = (EventField(8, type_),)
    records = [struct.pack("<II", 24, 0) + bytes(8) + name for name in names]
    single = compile_format("[%s]\n", fields, Names())
    batch = compile_batch("[%s]\n", fields, Names(), offset=HEADER, stride=32)
    assert batch is not None
    assert batch(b"".join(records)) == "".join(single(item[HEADER:]) for item in records)
