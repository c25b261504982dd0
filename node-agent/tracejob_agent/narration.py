"""-v: what a session does with each event, told as bpftrace does."""

from __future__ import annotations

from collections.abc import Callable

from tracelang.plan import EventKind, EventSpec

Tell = Callable[[str], None]
Action = Callable[[memoryview], None]

_URGENT = (EventKind.EXIT, EventKind.RUNTIME_ERROR, EventKind.ERRORF)
_NAMES = {EventKind.PRINT_VALUE: "print_non_map", EventKind.PRINT_MAP: "print", EventKind.SYSTEM: "syscall"}


def silent(text: str) -> None:
    """Nobody wants to know."""


def told(event: EventSpec, action: Action, tell: Tell) -> Action:
    """The action, told of before it is done; the same where the telling is silent."""
    if tell is silent:
        return action
    urgency = "URGENT" if event.kind in _URGENT else "NORMAL"
    text = f"[{urgency}] Event print async action {_NAMES.get(event.kind, event.kind.value)}"

    def run(record: memoryview) -> None:
        tell(text)
        action(record)

    return run
