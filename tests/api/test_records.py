"""Records survive their way through a log line; strangers don't pass for records."""

from __future__ import annotations

import pytest

from tracejob_api.maps import MapEntry, MapKind, MapSnapshot
from tracejob_api.records import (
    DIGEST_LIMIT,
    Attached,
    Digest,
    EndReason,
    Failure,
    Losses,
    Maps,
    Output,
    ProbeCount,
    RecordError,
    Result,
    decode_digest,
    decode_record,
    encode_digest,
    encode_record,
)

BIG = MapSnapshot(name="@", kind=MapKind.COUNT, entries=(MapEntry(key=(2**64 - 1, "a\n\x1b"), value=2**64 - 1),))


@pytest.mark.parametrize(
    "record",
    [
        Attached(t=1, seq=0, v=1, probes=(ProbeCount("begin"),), stages={"parse": 5}),
        Output(t=1, seq=1, v=1, kind="printf", text="two\nlines\u2028\n", values=(1, "a")),
        Maps(t=1, seq=2, v=1, maps=(BIG,), losses=Losses(map_full=3)),
        Result(t=1, seq=3, v=1, reason=EndReason.FAILED, failure=Failure.VERIFIER_REFUSED, maps=(BIG,)),
    ],
    ids=lambda record: type(record).__name__,
)
def test_a_record_is_one_line_and_comes_out_as_it_went_in(record: Output | Attached | Maps | Result) -> None:
    line = encode_record(record)
    assert line.count(b"\n") == 1
    decoded = decode_record(line)
    assert encode_record(decoded) == line
    assert (decoded.t, decoded.seq, decoded.v) == (record.t, record.seq, record.v)


def test_members_of_later_versions_are_skipped() -> None:
    record = decode_record(b'{"type":"losses","t":1,"seq":2,"v":2,"losses":{"ringBuffer":4,"new":1},"other":[]}')
    assert record.seq == 2


@pytest.mark.parametrize("line", [b"", b"Traceback (most recent call last):", b'{"type":"maps"}', b'{"type":"new"}'])
def test_other_lines_are_no_records(line: bytes) -> None:
    with pytest.raises(RecordError):
        decode_record(line)


def test_a_digest_fits_into_a_termination_message() -> None:
    digest = Digest(reason=EndReason.FAILED, failure=Failure.INTERNAL, message="x" * 100_000, events=7)
    data = encode_digest(digest)
    assert len(data) <= DIGEST_LIMIT
    assert decode_digest(data).events == 7
