"""Where the fields of the structs that a program prints lie: its own definitions, the binary's, the kernel's."""

from __future__ import annotations

from typing import Protocol

from tracelang.facts import Layout


class Layouts(Protocol):
    """Answers by the struct's name as `StructType.name` has it; `Facts` is one such answerer."""

    def struct(self, name: str) -> Layout | None: ...


class NoLayouts:
    """For programs that print no struct."""

    def struct(self, name: str) -> Layout | None:
        return None
