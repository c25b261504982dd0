"""The machine's processors, as the kernel lists them: "0-3,6" in, numbers out.

Part of the start: nothing may be imported here that takes long (docs/decisions/0002-direct-start.md).
"""

import os

_FOLDER = "/sys/devices/system/cpu"
_possible = 0  # not read yet; the kernel knows it when it has booted


def online_cpus() -> tuple[int, ...]:
    return _listed("online")


def possible_cpus() -> int:
    """How many there can ever be: the number of copies of a per-CPU value."""
    global _possible
    if not _possible:
        _possible = 1 + _listed("possible")[-1]
    return _possible


def _listed(name: str) -> tuple[int, ...]:
    try:
        with open(f"{_FOLDER}/{name}", "rb", buffering=0) as file:
            return cpu_numbers(file.read().decode())
    except (OSError, ValueError):
        return tuple(range(os.cpu_count() or 1))


def cpu_numbers(text: str) -> tuple[int, ...]:
    """Raises ValueError."""
    numbers: list[int] = []
    for part in text.strip().split(","):
        first, _, last = part.partition("-")
        numbers.extend(range(int(first), int(last or first) + 1))
    return tuple(numbers)
