"""The whole result of a job as the data of ConfigMaps, and back.

Every ConfigMap of a job holds some lines of `maps.jsonl` (a MapSnapshot each; a big map's entries are spread over
several lines, in order) and of `output.jsonl` (an OutputLine each); the first one also has `result.json` (a
ResultHeader).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from tracejob_api.maps import MapEntry, MapSnapshot
from tracejob_api.records import Cost, Losses
from tracejob_api.status import OutputLine

PART_LIMIT = 900 * 1024
"""Bytes of data in one ConfigMap; the API server takes 1 MiB with everything around it."""

PARTS_LIMIT = 32
OUTPUT_LIMIT = 4 * 1024 * 1024
"""Bytes of printed output kept, the newest."""

HEADER_KEY = "result.json"
MAPS_KEY = "maps.jsonl"
OUTPUT_KEY = "output.jsonl"
_CHUNK = 64 * 1024


class NodeResult(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """What one node gave. state and reason as in the target statuses; missed: records lost on the way."""

    node: str
    state: str
    reason: str = ""
    message: str = ""
    pods: tuple[str, ...] = ()
    kernel: str = ""
    events: int = 0
    missed: int = 0
    losses: Losses = Losses()
    cost: Cost = Cost()


class ResultHeader(msgspec.Struct, frozen=True, rename="camel"):
    """complete: false while the job runs. parts: number of ConfigMaps. *_omitted: what didn't fit into them."""

    job: str
    namespace: str
    uid: str
    complete: bool
    parts: int = 1
    nodes: tuple[NodeResult, ...] = ()
    losses: Losses = Losses()
    output_omitted: int = 0
    entries_omitted: int = 0


class WholeResult(msgspec.Struct, frozen=True, rename="camel"):
    """Everything that a job's ConfigMaps hold."""

    header: ResultHeader
    maps: tuple[MapSnapshot, ...] = ()
    output: tuple[OutputLine, ...] = ()


class ResultError(Exception):
    """ConfigMaps that aren't a job's whole result."""


_ENCODER = msgspec.json.Encoder()


def pack(result: WholeResult) -> list[dict[str, str]]:
    """The `data` of each ConfigMap, the first one with the header. What is over PARTS_LIMIT is counted in there."""
    parts: list[dict[str, list[str]]] = [{}]
    room = PART_LIMIT - _HEADER_ROOM
    header = result.header
    entries_omitted = header.entries_omitted
    lines, output_omitted = _output_lines(result.output)
    for key, line, entries in [*_map_lines(result.maps), *((OUTPUT_KEY, line, 0) for line in lines)]:
        size = len(line.encode()) + 1
        if size > room:
            if len(parts) == PARTS_LIMIT:
                entries_omitted += entries
                output_omitted += key == OUTPUT_KEY
                continue
            parts.append({})
            room = PART_LIMIT
        parts[-1].setdefault(key, []).append(line)
        room -= size
    data = [{key: "".join(f"{line}\n" for line in found) for key, found in part.items()} for part in parts]
    header = msgspec.structs.replace(
        header,
        parts=len(parts),
        entries_omitted=entries_omitted,
        output_omitted=header.output_omitted + output_omitted,
        nodes=_fitting(header.nodes),
    )
    return [{HEADER_KEY: _ENCODER.encode(header).decode()} | data[0], *data[1:]]


def unpack(parts: Sequence[Mapping[str, str]]) -> WholeResult:
    """The whole result of the ConfigMaps' data, in their order; ResultError when a part is missing or isn't one."""
    try:
        header = msgspec.json.decode(parts[0][HEADER_KEY], type=ResultHeader)
        if header.parts != len(parts):
            raise ResultError(f"the result has {header.parts} parts, there are {len(parts)}")
        maps = [
            msgspec.json.decode(line, type=MapSnapshot) for part in parts for line in _split(part.get(MAPS_KEY, ""))
        ]
        output = [
            msgspec.json.decode(line, type=OutputLine) for part in parts for line in _split(part.get(OUTPUT_KEY, ""))
        ]
    except (KeyError, IndexError, msgspec.MsgspecError) as error:
        raise ResultError(f"not a job's result: {error}") from error
    return WholeResult(header=header, maps=_join(maps), output=tuple(output))


def _split(text: str) -> list[str]:
    # str.splitlines would also split at line separators inside of strings.
    return [line for line in text.split("\n") if line]


_HEADER_ROOM = 300 * 1024
_NODES_IN_HEADER = 1000


def _fitting(nodes: tuple[NodeResult, ...]) -> tuple[NodeResult, ...]:
    """Nodes without their probes' costs where there are many, so that the header keeps to its room."""
    if len(_ENCODER.encode(nodes)) < _HEADER_ROOM // 2:
        return nodes
    return tuple(
        msgspec.structs.replace(node, cost=Cost(hits=node.cost.hits), message=node.message[:100], pods=node.pods[:1])
        for node in nodes[:_NODES_IN_HEADER]
    )


def _map_lines(maps: Iterable[MapSnapshot]) -> Iterable[tuple[str, str, int]]:
    """(key, line, entries in it): a map in pieces of about _CHUNK bytes; an empty map is one line."""
    for snapshot in maps:
        piece: list[MapEntry] = []
        size = 0
        for entry in snapshot.entries:
            piece.append(entry)
            size += len(_ENCODER.encode(entry))
            if size > _CHUNK:
                yield MAPS_KEY, _line(snapshot, piece), len(piece)
                piece, size = [], 0
        if piece or not snapshot.entries:
            yield MAPS_KEY, _line(snapshot, piece), len(piece)


def _line(snapshot: MapSnapshot, entries: Sequence[MapEntry]) -> str:
    return _ENCODER.encode(msgspec.structs.replace(snapshot, entries=tuple(entries))).decode()


def _output_lines(output: Sequence[OutputLine]) -> tuple[list[str], int]:
    """The newest lines up to OUTPUT_LIMIT, oldest first, and how many were left out."""
    lines: list[str] = []
    room = OUTPUT_LIMIT
    for item in reversed(output):
        line = _ENCODER.encode(item).decode()
        room -= len(line)
        if room < 0:
            break
        lines.append(line)
    return lines[::-1], len(output) - len(lines)


def _join(pieces: Iterable[MapSnapshot]) -> tuple[MapSnapshot, ...]:
    joined: dict[str, list[MapSnapshot]] = {}
    for piece in pieces:
        joined.setdefault(piece.name, []).append(piece)
    return tuple(
        msgspec.structs.replace(found[0], entries=tuple(entry for piece in found for entry in piece.entries))
        for found in joined.values()
    )
