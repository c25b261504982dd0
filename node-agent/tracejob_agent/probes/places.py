"""How many probes a program has, as users count them."""

from __future__ import annotations

from collections.abc import Sequence

from tracelang.plan import ProgramSpec


def count_places(programs: Sequence[ProgramSpec]) -> tuple[tuple[str, int], ...]:
    """(probe as written, places) of each program. A USDT probe is one, at however many places the compiler put it."""
    counted: set[tuple[object, ...]] = set()
    found = []
    for spec in programs:
        count = 0
        for number, item in enumerate(spec.attachments):
            where: object = item.location.module if item.provider == "usdt" else (spec.name, number)
            key = (spec.probe_index, item.location.target, item.location.name, where)
            count += key not in counted
            counted.add(key)
        found.append((spec.probe_text, count))
    return tuple(found)
