"""Entries that are shown under one key, as one entry: a pod's containers and nested cgroups when the pod is shown.

In the kernel such a key is a cgroup's id. Comes in: raw entries; goes out: raw entries, with all copies of those that
share a Kubernetes name; folding copies is what the reader of the map does anyway.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from tracejob_agent.output.decode import Buffer, decoder
from tracejob_agent.output.names import Names
from tracelang.plan import Plan, ScalarMerge, UserMap
from tracelang.types import AggregateType, IntType, TaggedType, TagKind, TupleType, Type

_KUBERNETES = frozenset({TagKind.POD, TagKind.CONTAINER, TagKind.NAMESPACE, TagKind.WORKLOAD})


def shows_kubernetes_names(plan: Plan) -> bool:
    """Whether anything that the program shows is a pod's, a container's... name."""
    keys = [spec.user.key for spec in plan.user_maps() if spec.user is not None]
    values = [spec.user.value for spec in plan.user_maps() if spec.user is not None]
    fields = [field.type for event in plan.events for field in event.fields]
    return any(_is_kubernetes(part) for type_ in (*keys, *values, *fields) for part in _parts(type_))


class Pool:
    """Of one map."""

    def __init__(self, user: UserMap, names: Names) -> None:
        self._types = tuple(_parts(user.key))
        self._is_tuple = isinstance(user.key, TupleType)
        self._read = decoder(user.key, names.layouts) if user.key else None
        self._names = names
        can_add = isinstance(user.value, AggregateType) or (
            isinstance(user.value, IntType) and user.merge is ScalarMerge.SUM
        )
        self.is_needed = can_add and any(_is_kubernetes(item) for item in self._types)

    def pooled(self, raw: Iterable[tuple[bytes, Sequence[Buffer]]]) -> list[tuple[bytes, Sequence[Buffer]]]:
        """By what is shown; the first of several keys stands for all."""
        found: dict[tuple[object, ...], tuple[bytes, list[Buffer]]] = {}
        for key, copies in raw:
            _, together = found.setdefault(self._identity(key), (key, []))
            together.extend(copies)
        return list(found.values())

    def _identity(self, key: bytes) -> tuple[object, ...]:
        decoded: Any = self._read(key, 0) if self._read else ()
        parts = decoded if self._is_tuple else (decoded,)
        return tuple(
            self._names.tagged(type_.kind, part)
            if isinstance(type_, TaggedType) and _is_kubernetes(type_)
            else repr(part)
            for type_, part in zip(self._types, parts, strict=True)
        )


def _parts(type_: Type | None) -> tuple[Type, ...]:
    if type_ is None:
        return ()
    return type_.elements if isinstance(type_, TupleType) else (type_,)


def _is_kubernetes(type_: Type) -> bool:
    return isinstance(type_, TaggedType) and type_.kind in _KUBERNETES
