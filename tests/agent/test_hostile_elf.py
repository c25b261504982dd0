"""Binaries come out of other people's containers: whatever is in them, they are read or refused, and nothing else."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tracejob_agent.kernel.binaries import Binaries
from tracejob_agent.kernel.elf import Elf, ElfError
from tracejob_agent.kernel.usdt import usdt_probes
from tracejob_agent.kernel.user_locations import uprobe_locations, usdt_locations, user_danger, user_refusal


def small_binary() -> bytes:
    """The smallest real one at hand, with its section table near its head kept whole."""
    candidates = [Path("/bin/true"), Path(sys.executable).resolve()]
    return next(path for path in candidates if path.exists()).read_bytes()


ORIGINAL = small_binary()
SECTION_TABLE = int.from_bytes(ORIGINAL[40:48], "little")


@given(
    damage=st.lists(st.tuples(st.integers(0, 2047), st.integers(0, 255)), min_size=1, max_size=12),
    length=st.integers(0, len(ORIGINAL)),
)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_damaged_binary_is_read_or_refused(damage: list[tuple[int, int]], length: int) -> None:
    raw = bytearray(ORIGINAL)
    for place, value in damage:  # the first half hits the head, the second the section table
        at = place if place < 1024 else SECTION_TABLE + place - 1024
        if at < len(raw):
            raw[at] = value
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "binary")
        path.write_bytes(raw[: max(length, len(raw) // 2)])
        try:
            elf = Elf(path)
            list(elf.symbols())
            elf.find_symbol("main")
            list(usdt_probes(elf))
            _ = elf.build_id, elf.debug_link
        except ElfError:
            pass
        binaries = Binaries((Path(folder),), ())
        list(uprobe_locations(binaries, "uprobe", ("/binary", "m*")))
        list(usdt_locations(binaries, ("/binary", "", "*")))
        user_refusal(binaries, "uprobe", ("/binary", "main+3"))
        user_danger(binaries, ("/binary", "main+3"))
