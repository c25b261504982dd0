"""Values as text and JSON, as bpftrace 0.27.1 spells them."""

from __future__ import annotations

import json
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracejob_agent.output.decode import decoder
from tracejob_agent.output.layouts import NoLayouts
from tracejob_agent.output.map_format import key_writer
from tracejob_agent.output.names import Names, safe_text
from tracejob_agent.output.show import json_integer, json_text, json_writer, text_writer
from tracejob_agent.output.user_symbols import UserSymbol, UserSymbols
from tracelang.facts import Layout, Member
from tracelang.types import (
    BOOL,
    S8,
    S32,
    S64,
    U64,
    VOID,
    AddressSpace,
    ArrayType,
    BufferType,
    InetType,
    MacType,
    PointerType,
    RecordType,
    StackMode,
    StackType,
    StringType,
    StructType,
    TupleType,
    Type,
)


class OneStruct:
    def struct(self, name: str) -> Layout | None:
        members = {
            "a": Member("a", S32, 0),
            "b": Member("b", StringType(4), 4, 32),
            "low": Member("low", S32, 8, 64, 3),
            "high": Member("high", S32, 8, 67, 5),
        }
        return Layout(name, 12, members) if name == "struct foo" else None


NAMES = Names(layouts=OneStruct())
POINTER = PointerType(VOID, AddressSpace.KERNEL)


@pytest.mark.parametrize(
    ("type_", "raw", "text", "json_line"),
    [
        (S8, b"\xfd", "-3", "-3"),
        (BOOL, b"\1", "true", "true"),
        (StringType(4), b"a b\0", "a b", '"a b"'),
        (POINTER, struct.pack("<Q", 0xFFFF8881044BC300), "0xffff8881044bc300", '"18446612686409319168"'),
        (TupleType((S8, StringType(2), TupleType((S8, S8)))), b"\1a\0\2\3", "(1, a, (2, 3))", '[1,"a",[2,3]]'),
        (RecordType((("x", S8), ("y", StringType(2)))), b"\1q\0", "{ .x = 1, .y = q }", '{"x": 1, "y": "q"}'),
        (ArrayType(S32, 3), struct.pack("<3i", 1, 2, 3), "[1,2,3]", "[1,2,3]"),
        (BufferType(4), b"\4\0\0\0a\1b\xff", "a\\x01b\\xff", "[97,1,98,-1]"),
        (InetType(), struct.pack("<Q4s12x", 2, bytes([127, 0, 0, 1])), "127.0.0.1", '"127.0.0.1"'),
        (InetType(), struct.pack("<Q16s", 10, bytes(15) + b"\1"), "::1", '"::1"'),
        (MacType(), bytes.fromhex("0a1b2c3d4e5f"), "0A:1B:2C:3D:4E:5F", '"0A:1B:2C:3D:4E:5F"'),
        (
            StructType("struct foo", 12),
            struct.pack("<i4sI", 1, b"hey", 0b11101_111),
            "{ .a = 1, .b = hey, .low = -1, .high = -3 }",
            '{"a": 1, "b": "hey", "low": -1, "high": -3}',
        ),
    ],
)
def test_a_value_as_text_and_as_json(type_: Type, raw: bytes, text: str, json_line: str) -> None:
    value = decoder(type_, NAMES.layouts)(raw, 0)
    assert text_writer(type_, NAMES)(value) == text
    shown = json_writer(type_, NAMES)(value)
    assert shown == json_line.replace("18446612686409319168", str(0xFFFF8881044BC300))
    json.loads(shown)


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        (9007199254740993, '"9007199254740993"'),
        (1 << 63, "9223372036854775808"),
        (-1, "-1"),
        (2**64 - 1, f'"{2**64 - 1}"'),
    ],
)
def test_json_numbers_that_a_double_cannot_hold_are_strings(number: int, shown: str) -> None:
    assert json_integer(number) == shown


@pytest.mark.parametrize(
    ("key", "value", "shown", "compact"),
    [
        (TupleType((S64, StringType(4))), (1, b"x"), "1, x", "1,x"),
        (
            TupleType((StringType(4), TupleType((S8, S8)), BOOL)),
            (b"a", (1, 2), True),
            "a, (1, 2), true",
            "a,(1,2),true",
        ),
        (StringType(8), b"a b", "a b", "a b"),
        (RecordType((("x", S8), ("y", S8))), {"x": 1, "y": 2}, "{ .x = 1, .y = 2 }", "{.x=1,.y=2}"),
        (U64, 5, "5", "5"),
    ],
)
def test_a_key_between_brackets(key: Type, value: object, shown: str, compact: str) -> None:
    assert key_writer(key, NAMES)(value) == shown
    assert key_writer(key, NAMES, compact=True)(value) == compact


@pytest.mark.parametrize(
    ("mode", "shown"),
    [
        (StackMode.RAW, "\n1000\n2000\n"),
        (StackMode.BPFTRACE, "\n        0x1000\n        0x2000\n"),
        (StackMode.PERF, "\n\t1000 0x1000 ([unknown])\n\t2000 0x2000 ([unknown])\n"),
    ],
)
def test_a_stack_of_a_process_that_is_gone_shows_addresses(mode: StackMode, shown: str) -> None:
    type_ = StackType(user=True, mode=mode, depth=2)
    names = Names(read_stack=lambda key, depth: (0x1000, 0x2000) if (key, depth) == (7, 2) else ())
    value = decoder(type_, NoLayouts())(struct.pack("<qII", 7, 4194303, 0), 0)
    assert text_writer(type_, names)(value) == shown


def test_a_stack_that_was_not_taken_is_empty() -> None:
    type_ = StackType(user=False, mode=StackMode.BPFTRACE, depth=2)
    value = decoder(type_, NoLayouts())(struct.pack("<qII", -14, 1, 0), 0)
    assert text_writer(type_, Names())(value) == "\n"


@given(st.binary())
def test_safe_text_lets_no_control_character_through(data: bytes) -> None:
    assert safe_text(data).isprintable()


@given(st.binary())
def test_json_text_is_valid_json_for_any_bytes(data: bytes) -> None:
    json.loads(json_text(data.decode("utf-8", "surrogateescape")))


def test_names_out_of_traced_binaries_are_escaped_where_traced_text_is() -> None:
    class Hostile(UserSymbols):
        def resolve(self, pid: int, address: int) -> UserSymbol | None:
            return UserSymbol("evil\x1b[2J", 1, "/tmp/\x07bell")

    names = Names(text=safe_text, user_symbols=Hostile(), probe_names=("uprobe:/x:\x1b[31mred",))
    for shown in (
        names.user_symbol(1, 1),
        names.user_frame(1, 1, StackMode.PERF).lstrip("\t"),
        names.user_frame(1, 1, StackMode.BPFTRACE),
        names.probe(0),
    ):
        assert shown.isprintable()
