"""The program's maps as values: what an agent snapshots, what the operator merges, what status and ConfigMaps hold.

Everything that a merge needs is exact here (sums with their counts, buckets by number), nothing is rounded for show.
Text is made from it at the very end (`tracejob_api.text`).
"""

from __future__ import annotations

from enum import Enum

import msgspec


class MapKind(Enum):
    """The map function that writes the map, or `scalar` for a plain assignment."""

    SCALAR = "scalar"
    COUNT = "count"
    SUM = "sum"
    MIN = "min"
    MAX = "max"
    AVG = "avg"
    STATS = "stats"
    HIST = "hist"
    LHIST = "lhist"
    TSERIES = "tseries"


class MapMerge(Enum):
    """How a scalar map of several nodes becomes one (aggregates merge by their kind)."""

    SUM = "sum"  # written only by ++ -- += -=
    BY_NODE = "by-node"  # anything else: the node becomes a leading key


class MapEntry(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """One key of a map with its value. Which members are set is told by the map's kind:

    scalar              value: an integer, text, a list (tuple, array) or an object (struct, record) by `value_type`
    count sum min max   value: an integer
    avg stats           sum and count
    hist lhist          buckets: (slot number, count), ascending, without empty ones.
                        hist: slot 0 is for negatives, then as `hist()` numbers them by its bits;
                        lhist: slot 0 is below the minimum, the last from the maximum on
    tseries             points: (interval's number, value, count), oldest first

    key: one item per bracketed key, empty for a map without a key. Integers are exact (up to 64 bits), symbols and
    stacks are text, tuples are lists.
    """

    key: tuple[object, ...] = ()
    value: object = None
    sum: int = 0
    count: int = 0
    buckets: tuple[tuple[int, int], ...] = ()
    points: tuple[tuple[int, int, int], ...] = ()


class MapSnapshot(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """One map at one moment. `name` starts with `@`.

    key_types, value_type: the language's own spelling ("uint64", "string[64]", "(int64,string[16])").
    parameters: hist: (bits,); lhist: (min, max, step). omitted: keys that were left out of `entries`.
    by_node: a merge put the node's name in front of the keys.
    """

    name: str
    kind: MapKind
    entries: tuple[MapEntry, ...] = ()
    key_types: tuple[str, ...] = ()
    value_type: str = ""
    signed: bool = False
    parameters: tuple[int, ...] = ()
    merge: MapMerge = MapMerge.BY_NODE
    omitted: int = 0
    by_node: bool = False
