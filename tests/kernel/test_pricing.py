"""What maps are priced at is what the kernel says of maps that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tracejob_agent.bpf.maps import BpfMap
from tracejob_agent.bpf.pricing import kernel_bytes
from tracelang.plan import BpfMapKind, MapSpec

KINDS = [
    (BpfMapKind.HASH, 8, 8, 4096),
    (BpfMapKind.HASH, 20, 300, 70_000),
    (BpfMapKind.HASH, 8, 8, 600_000),
    (BpfMapKind.LRU_HASH, 16, 64, 5000),
    (BpfMapKind.PERCPU_HASH, 8, 8, 4096),
    (BpfMapKind.PERCPU_HASH, 16, 528, 1000),
    (BpfMapKind.LRU_PERCPU_HASH, 4, 8, 9000),
    (BpfMapKind.ARRAY, 4, 100, 10_000),
    (BpfMapKind.PERCPU_ARRAY, 4, 528, 3000),
    (BpfMapKind.CGROUP_ARRAY, 4, 4, 4096),
    (BpfMapKind.RINGBUF, 0, 0, 8 << 20),
]


@pytest.mark.parametrize(("kind", "key", "value", "entries"), KINDS)
def test_a_map_costs_what_it_was_priced_at(kind: BpfMapKind, key: int, value: int, entries: int) -> None:
    spec = MapSpec(0, "tj_priced", kind, key, value, entries)
    made = BpfMap(spec)
    try:
        told = re.search(r"^memlock:\s+(\d+)", Path(f"/proc/self/fdinfo/{made.descriptor}").read_text(), re.MULTILINE)
    finally:
        made.close()
    assert told
    assert kernel_bytes(spec) == pytest.approx(int(told[1]), rel=0.03)
