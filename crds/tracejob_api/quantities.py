"""Durations and byte counts as Kubernetes spells them ("1m30s", "10Mi"), to numbers and back."""

from __future__ import annotations

import re
from fractions import Fraction

DURATION_PATTERN = r"^([0-9]+(\.[0-9]+)?(ms|s|m|h))+$"
QUANTITY_PATTERN = r"^[0-9]+(\.[0-9]+)?([kMGTP]|[KMGTP]i)?$"

_DURATION_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)")
_SECONDS = {"ms": Fraction(1, 1000), "s": Fraction(1), "m": Fraction(60), "h": Fraction(3600)}
_QUANTITY = re.compile(r"(\d+(?:\.\d+)?)([kMGTP]|[KMGTP]i)?")
_DECIMAL = {suffix: 1000 ** (power + 1) for power, suffix in enumerate("kMGTP")}
_BINARY = {suffix: 1024 ** (power + 1) for power, suffix in enumerate(("Ki", "Mi", "Gi", "Ti", "Pi"))}


def parse_duration(text: str) -> float:
    """Seconds of "90s", "1m30s", "500ms"; ValueError for anything else."""
    if not re.match(DURATION_PATTERN, text):
        raise ValueError(f"not a duration: {text!r} (write it as 90s, 1m30s or 500ms)")
    return float(sum(Fraction(number) * _SECONDS[unit] for number, unit in _DURATION_PART.findall(text)))


def format_duration(seconds: float) -> str:
    """The shortest spelling of a number of seconds, to the millisecond."""
    milliseconds = round(seconds * 1000)
    if milliseconds % 1000:
        return f"{milliseconds}ms"
    whole = milliseconds // 1000
    for unit, size in (("h", 3600), ("m", 60)):
        if whole and whole % size == 0:
            return f"{whole // size}{unit}"
    return f"{whole}s"


def parse_quantity(value: int | str) -> int:
    """Bytes of 4096, "10Mi", "2G", rounded up; ValueError for anything else."""
    if isinstance(value, int):
        return value
    match = _QUANTITY.fullmatch(value)
    if match is None:
        raise ValueError(f"not a number of bytes: {value!r} (write it as 10Mi or 4096)")
    number, suffix = match.groups()
    scale = 1 if suffix is None else (_BINARY | _DECIMAL)[suffix]
    total = Fraction(number) * scale
    return -(-total.numerator // total.denominator)
