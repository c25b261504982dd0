"""What maps take of the kernel's memory, before there are any: MapSpecs in, bytes out.

The kernel tells the same (as `memlock`) of a map that exists; here a program is refused before it costs anything.
"""

from __future__ import annotations

from collections.abc import Iterable

from tracejob_agent.errors import LimitError
from tracejob_agent.kernel.cpus import possible_cpus
from tracelang.plan import BpfMapKind, MapRole, MapSpec

_HEADER = 512  # of any map
_ELEMENT = 48  # of a hash, besides key and value
_BUCKET = 16
_POINTER = 8


def kernel_bytes(spec: MapSpec) -> int:
    """Of the map when it is full."""
    return _HEADER + _content(spec)


def check_price(maps: Iterable[MapSpec], limit: int) -> None:
    """Raises LimitError, with the sum and its parts, when the maps may take more than `limit` (0: no limit)."""
    if not limit:
        return
    prices = sorted(((kernel_bytes(spec), _label(spec)) for spec in maps), reverse=True)
    total = sum(price for price, _ in prices)
    if total > limit:
        parts = ", ".join(f"{label} {_size(price)}" for price, label in prices if price * 100 >= total)
        raise LimitError(
            f"the program's maps may take {_size(total)} of kernel memory ({parts}), more than limits.kernelMemory "
            f"({_size(limit)}) allows"
        )


def _content(spec: MapSpec) -> int:
    key, value, cpus = _aligned(spec.key_size), _aligned(spec.value_size), possible_cpus()
    match spec.kind:
        case BpfMapKind.RINGBUF:
            return spec.max_entries + 3 * 4096  # and the mapping of its pages
        case BpfMapKind.ARRAY:
            return value * spec.max_entries
        case BpfMapKind.CGROUP_ARRAY:
            return _POINTER * spec.max_entries
        case BpfMapKind.PERCPU_ARRAY:
            return (value * cpus + _POINTER) * spec.max_entries
        case BpfMapKind.PERCPU_HASH | BpfMapKind.LRU_PERCPU_HASH:
            # One element more for each CPU, to put a new value together in.
            elements = spec.max_entries + cpus
            return (_ELEMENT + key + _POINTER + value * cpus) * elements + _buckets(spec.max_entries)
        case BpfMapKind.HASH | BpfMapKind.LRU_HASH | BpfMapKind.STACK_TRACE:
            return (_ELEMENT + key + value) * (spec.max_entries + cpus) + _buckets(spec.max_entries)
    raise TypeError(spec.kind)


def _buckets(entries: int) -> int:
    return _BUCKET << max(entries - 1, 0).bit_length()


def _aligned(size: int) -> int:
    return (size + 7) // 8 * 8


def _label(spec: MapSpec) -> str:
    if spec.user is not None:
        keys = f" for {spec.max_entries} keys" if spec.user.key is not None else ""
        return f"@{spec.user.name}{keys}"
    return {MapRole.EVENTS: "events", MapRole.STACKS: "stacks"}.get(spec.role, spec.role)


def _size(size: float) -> str:
    for unit in ("B", "KiB", "MiB"):
        if size < 1024:
            return f"{size:.4g} {unit}"
        size /= 1024
    return f"{size:.4g} GiB"
