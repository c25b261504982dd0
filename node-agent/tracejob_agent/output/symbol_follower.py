"""Keeps up with what processes map while a session runs whose program shows addresses of processes.

Short-lived processes can't be asked when a stack of theirs is shown at the end. Sessions that show none pay nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from tracejob_agent.output.user_symbols import UserSymbols
from tracelang.plan import Plan
from tracelang.types import RecordType, StackType, TupleType, Type, UsymType

_POLL_SECONDS = 0.1


class Follower(Protocol):
    def poll(self, now: float) -> None:
        """Called often. now: of the monotonic clock; inf: whatever the time, the end is near."""


class NoFollower:
    def poll(self, now: float) -> None:
        pass


class SymbolFollower:
    """Reads the kernel's records ten times a second."""

    def __init__(self, symbols: UserSymbols) -> None:
        from tracejob_agent.kernel.process_events import ProcessEvents

        self._symbols = symbols
        self._events = ProcessEvents()
        self._next = 0.0
        symbols.catch_up = self._read  # an address may be shown before its process's maps were due

    def poll(self, now: float) -> None:
        if now >= self._next:
            self._next = now + _POLL_SECONDS
            self._read()

    def _read(self) -> None:
        self._symbols.follow(self._events.read())

    def close(self) -> None:
        self._symbols.catch_up = lambda: None
        self._events.close()


@contextmanager
def following(symbols: UserSymbols | None, plan: Plan) -> Iterator[Follower]:
    """While the context lasts."""
    if symbols is None or not shows_user_addresses(plan):
        yield NoFollower()
        return
    follower = SymbolFollower(symbols)
    try:
        yield follower
    finally:
        follower.close()


def shows_user_addresses(plan: Plan) -> bool:
    """Whether user stacks or symbols are among what the program prints or keeps."""
    maps = [spec.user for spec in plan.user_maps() if spec.user is not None]
    kept = [type_ for user in maps for type_ in (user.key, user.value) if type_ is not None]
    printed = [field.type for event in plan.events for field in event.fields]
    return any(_is_shown_by_process(type_) for type_ in (*kept, *printed))


def _is_shown_by_process(type_: Type) -> bool:
    match type_:
        case TupleType(elements=elements):
            return any(_is_shown_by_process(item) for item in elements)
        case RecordType(fields=fields):
            return any(_is_shown_by_process(item) for _, item in fields)
        case StackType(user=user):
            return user
    return isinstance(type_, UsymType)
