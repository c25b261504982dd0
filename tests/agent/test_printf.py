"""printf() of records: what bpftrace 0.27.1 prints for the same format and value."""

from __future__ import annotations

import struct

import pytest

from tracejob_agent.output.names import Names
from tracejob_agent.output.printf import compile_format
from tracelang.plan import EventField
from tracelang.types import (
    BOOL,
    S8,
    S16,
    S32,
    S64,
    U8,
    U32,
    U64,
    VOID,
    AddressSpace,
    BufferType,
    EnumType,
    PointerType,
    StringType,
    TupleType,
    Type,
)

ID = bytes(8)


@pytest.mark.parametrize(
    ("template", "type_", "raw", "expected"),
    [
        ("%d", S64, struct.pack("<q", 1 << 40), "0"),  # C: the low 32 bits
        ("%ld", S64, struct.pack("<q", 1 << 40), "1099511627776"),
        ("%lld", S64, struct.pack("<q", -7), "-7"),
        ("%u", S8, b"\xff", "4294967295"),
        ("%gr", U64, struct.pack("<Q", 0xDC0), "GFP_KERNEL|__GFP_ZERO"),
        ("%gr", U32, struct.pack("<I", 0x40000821), "GFP_ATOMIC|GFP_DMA|0x40000000"),
        ("[%8gr]", S32, bytes(4), "[       0]"),
        ("%x", S8, b"\xff", "ffffffff"),
        ("%lx", S32, b"\xff" * 4, "ffffffffffffffff"),
        ("%lu", S32, b"\xff" * 4, "18446744073709551615"),
        ("%x", S16, struct.pack("<h", -2), "fffffffe"),
        ("%d", U8, b"\xff", "255"),
        ("%d", U32, b"\xff" * 4, "-1"),
        ("%hd", S32, struct.pack("<i", 70000), "4464"),
        ("%hhx", S16, struct.pack("<h", 300), "2c"),
        ("%5d", S32, struct.pack("<i", 42), "   42"),
        ("%-5d|", S32, struct.pack("<i", 42), "42   |"),
        ("%05d", S32, struct.pack("<i", 42), "00042"),
        ("%+d", S32, struct.pack("<i", 5), "+5"),
        ("%#x", S32, struct.pack("<i", 255), "0xff"),
        ("%#o", S32, struct.pack("<i", 8), "010"),
        ("%.5d", S32, struct.pack("<i", 42), "42"),  # precision is ignored
        ("%08x", S32, struct.pack("<i", 255), "000000ff"),
        ("%X", S32, struct.pack("<i", 255), "FF"),
        ("%p", PointerType(VOID, AddressSpace.NONE), struct.pack("<Q", 255), "0xff"),
        ("%20p", U64, struct.pack("<Q", 255), "                0xff"),
        ("%5c", S64, struct.pack("<q", 65), "    A"),
        ("%s", StringType(8), b"abc\0zzzz", "abc"),
        ("%10s", StringType(4), b"abc\0", "       abc"),
        ("%-10s|", StringType(4), b"abc\0", "abc       |"),
        ("%.3s", StringType(8), b"abcdef\0\0", "abcdef"),
        ("%s", U8, b"\x03", "3"),
        ("%d", BOOL, b"\1", "1"),
        ("%10s", BOOL, b"\1", "      true"),
        ("%s", TupleType((S8, StringType(2))), b"\1a\0", "(1, a)"),
        ("%s", EnumType("enum color", 32, False, ((3, "RED"),)), struct.pack("<I", 3), "RED"),
        ("%s", EnumType("enum color", 32, False, ((3, "RED"),)), struct.pack("<I", 9), "9"),
        ("%d", EnumType("enum color", 32, False, ((3, "RED"),)), struct.pack("<I", 3), "3"),
        ("%r", BufferType(4), b"\4\0\0\0a\1b\xff", "a\\x01b\\xff"),
        ("%rx", BufferType(4), b"\4\0\0\0a\1b\xff", "\\x61\\x01\\x62\\xff"),
        ("%rh", BufferType(4), b"\2\0\0\0a\1b\xff", "61 01"),
        ("100%% of %d", S32, struct.pack("<i", 1), "100% of 1"),
    ],
)
def test_one_conversion(template: str, type_: Type, raw: bytes, expected: str) -> None:
    write = compile_format(template, (EventField(8, type_),), Names())
    assert write(ID + raw) == expected


def test_fields_are_found_at_their_offsets_whatever_lies_between() -> None:
    fields = (EventField(8, S32), EventField(16, S64), EventField(24, StringType(4)))
    record = ID + struct.pack("<i4xq4s", -1, 2, b"ab")
    assert compile_format("%d %ld %s\n", fields, Names())(memoryview(record)) == "-1 2 ab\n"


def test_fields_out_of_order_are_read_too() -> None:
    fields = (EventField(16, S64), EventField(8, S64))
    assert compile_format("%ld %ld", fields, Names())(ID + struct.pack("<qq", 1, 2)) == "2 1"


def test_a_format_without_values_keeps_its_per_cent_signs() -> None:
    assert compile_format("5%% %", (), Names())(ID) == "5% %"


def test_a_string_that_fills_its_field_is_marked_as_cut() -> None:
    names = Names(max_strlen=8)
    write = compile_format("%s", (EventField(8, StringType(8)),), names)
    assert write(ID + b"12345678") == "12345678.."
    assert write(ID + b"1234567\0") == "1234567"


def test_bytes_that_are_not_text_come_out_as_they_went_in() -> None:
    write = compile_format("%s", (EventField(8, StringType(4)),), Names())
    assert write(ID + b"a\xff\0\0").encode("utf-8", "surrogateescape") == b"a\xff"
