"""One verb per module; each has a `command`. This table is what `kubectl trace --help` lists without importing them."""

from __future__ import annotations

VERBS: dict[str, str] = {
    "run": "Trace a workload (or, with --local, this machine) and print what it gives.",
    "check": "Parse and type a program without running it.",
}
