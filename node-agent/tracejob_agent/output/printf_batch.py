"""printf() of many records at once: their bytes in, their whole text out.

    4096 records  ->  one struct reads a chunk's values into a list  ->  conversions, column by column
                  ->  one format string, the chunk's records in a row, makes the text

No step runs Python code for each record, unless a conversion has to: that is some 0.13 us instead of 0.9 us for each.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tracejob_agent.output.decode import Buffer
from tracejob_agent.output.names import Names
from tracejob_agent.output.printf import Convert, parse_format, record_layout
from tracelang.plan import EventField

_CHUNKS = (512, 64, 8, 1)
"""Records that are formatted at once: as many as there are of the largest size, then of the next."""

BatchFormatter = Callable[[Buffer], str]


@dataclass(frozen=True, slots=True)
class _Chunk:
    unpack: Callable[..., tuple[Any, ...]]
    template: str
    records: int


def compile_batch(
    template: str, fields: tuple[EventField, ...], names: Names, *, offset: int, stride: int
) -> BatchFormatter | None:
    """The function that makes the text of many records, `stride` bytes apart, each `offset` bytes into its stride.

    None where a record has to be looked at by itself.
    """
    shown, readers = parse_format(template, fields, names)
    layout = record_layout([(code, at + offset, size, convert) for code, at, size, convert in readers], stride)
    if layout is None:
        return None
    if not readers:
        text = shown % ()
        return lambda records: text * (len(records) // stride)
    width = len(readers)
    columns = tuple((index, convert) for index, (*_, convert) in enumerate(readers) if convert is not None)
    chunks: dict[int, _Chunk] = {}

    def write(records: Buffer) -> str:
        texts = []
        start, left = 0, len(records) // stride
        for size in _CHUNKS:
            while left >= size:
                chunk = chunks.get(size)
                if chunk is None:
                    chunk = chunks[size] = _Chunk(struct.Struct("<" + layout * size).unpack_from, shown * size, size)
                texts.append(_text(chunk, records, start, width=width, columns=columns))
                start += size * stride
                left -= size
        return "".join(texts)

    return write


def _text(chunk: _Chunk, records: Buffer, start: int, *, width: int, columns: tuple[tuple[int, Convert], ...]) -> str:
    values = chunk.unpack(records, start)
    if columns:
        converted = list(values)
        for index, convert in columns:
            converted[index::width] = map(convert, values[index::width])
        values = tuple(converted)
    return chunk.template % values
