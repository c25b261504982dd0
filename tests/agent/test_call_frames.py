"""Rows of unwind tables out of call frame information that is made here."""

from __future__ import annotations

import struct

from hypothesis import given
from hypothesis import strategies as st

from tracejob_agent.kernel.call_frames import rows_of
from tracelang.unwinding import Base

ADDRESS = 0x2000
COMMON = bytes([1]) + b"zR\0" + bytes([1, 0x78, 16, 1, 0x1B, 0x0C, 7, 8, 0x90, 1])
"""Version, augmentation, units 1 and -8, return address in 16, pointers relative to their place; the caller's frame
begins at sp + 8."""
START = 0x1000


def record(identity: int, content: bytes) -> bytes:
    content += bytes(-(len(content) + 4) % 4)
    return struct.pack("<II", len(content) + 4, identity) + content


def frames(*functions: tuple[int, int, bytes]) -> bytes:
    """An .eh_frame: (start, size, instructions) of each function."""
    data = record(0, COMMON)
    for start, size, instructions in functions:
        place = ADDRESS + len(data) + 8
        content = struct.pack("<iI", start - place, size) + b"\0" + instructions
        data += record(len(data) + 4, content)
    return data + bytes(4)


def test_a_function_that_pushes_and_pops() -> None:
    pushed = bytes([0x41, 0x0E, 16, 0x86, 2, 0x43, 0x0D, 6, 0x48, 0x0C, 7, 8, 0xC6])
    assert rows_of(frames((START, 32, pushed)), ADDRESS) == [
        (START, 8, 0, Base.SP),
        (START + 1, 16, -16, Base.SP),
        (START + 4, 16, -16, Base.BP),
        (START + 12, 8, 0, Base.SP),
        (START + 32, 0, 0, Base.UNKNOWN),
    ]


def test_functions_side_by_side_have_no_end_between() -> None:
    rows = rows_of(frames((START, 16, b""), (START + 16, 16, b"")), ADDRESS)
    assert [row[0] for row in rows] == [START, START + 16, START + 32]


def test_the_outermost_function_ends_the_stack() -> None:
    assert rows_of(frames((START, 16, bytes([7, 16]))), ADDRESS)[0] == (START, 0, 0, Base.UNKNOWN)


def test_remembered_rules_come_back() -> None:
    kept = bytes([0x0A, 0x0E, 32, 0x44, 0x0B, 0x44])
    assert [row[1] for row in rows_of(frames((START, 16, kept)), ADDRESS)] == [32, 8, 8, 0]


def test_linkage_tables_are_known_and_other_expressions_end_the_stack() -> None:
    linkage = bytes.fromhex("0f0b770880003f1a3b2a332422")
    assert rows_of(frames((START, 16, linkage)), ADDRESS)[0] == (START, 8, 0, Base.PLT)
    assert rows_of(frames((START, 16, bytes([0x0F, 1, 0x50]))), ADDRESS)[0][3] == Base.UNKNOWN


def test_numbers_that_no_row_holds_end_the_stack() -> None:
    far = bytes([0x0E, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F])
    assert rows_of(frames((START, 16, far)), ADDRESS)[0] == (START, 0, 0, Base.UNKNOWN)


@given(st.binary(max_size=80), st.binary(max_size=40))
def test_hostile_bytes_make_rows_that_fit_or_none(instructions: bytes, tail: bytes) -> None:
    for data in (frames((START, 64, instructions)), frames()[:-4] + tail, tail):
        for address, frame, saved, _ in rows_of(data, ADDRESS):
            assert 0 <= address < 1 << 32
            assert max(abs(frame), abs(saved)) < 1 << 31
