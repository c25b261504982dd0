"""Where the fields of the structs that a program prints lie: its own definitions, the binary's, the kernel's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from tracelang.facts import Layout


class Layouts(Protocol):
    """Answers by the struct's name as `StructType.name` has it; `Facts` is one such answerer."""

    def struct(self, name: str) -> Layout | None: ...


class PlanLayouts:
    """The plan's own first: they are the structs as the traced binary or the program has them."""

    def __init__(self, own: Mapping[str, Layout], others: Layouts | None) -> None:
        self._own = own
        self._others = others

    def struct(self, name: str) -> Layout | None:
        return self._own.get(name) or (self._others.struct(name) if self._others else None)


class NoLayouts:
    """For programs that print no struct."""

    def struct(self, name: str) -> Layout | None:
        return None
