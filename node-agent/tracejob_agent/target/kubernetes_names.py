"""Names for `pod`, `container`, `namespace`, `node` and `workload`: a cgroup's id in, what Kubernetes calls it out."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tracejob_agent.target.cgroups import container_id
from tracejob_agent.target.pods import Place
from tracelang.types import TagKind


@dataclass(slots=True)
class KubernetesNames:
    """A callable for output's names. Cgroups are looked through again when an id isn't known."""

    node: str
    places: Sequence[Place] = ()
    _by_id: dict[int, tuple[Place, str]] = field(default_factory=dict)

    def __call__(self, kind: TagKind, cgroup_id: int) -> str:
        if kind.value == "node":
            return self.node
        if cgroup_id not in self._by_id:
            self.look_through()
        place, container = self._by_id.get(cgroup_id) or (self._only_place(), "")
        if place is None:
            return ""
        match kind:
            case TagKind.POD:
                return place.pod.name
            case TagKind.CONTAINER:
                return container
            case TagKind.NAMESPACE:
                return place.pod.namespace
            case TagKind.WORKLOAD:
                return place.pod.workload or place.pod.name
            case _:
                return ""

    def _only_place(self) -> Place | None:
        """Whose a cgroup must have been that came and went between two looks: nobody else was in scope."""
        return self.places[0] if len({place.pod.uid for place in self.places}) == 1 else None

    def look_through(self) -> None:
        """Notes the cgroups as they are now. Their names stay known when they have ended."""
        for place in self.places:
            names = {item.id: item.name for item in place.pod.containers}
            for path, _, _ in os.walk(place.folder):
                folder = Path(path)
                below = (folder, *folder.parents)
                container = place.container or next(
                    (names[found] for item in below if (found := container_id(item.name)) in names), ""
                )
                try:
                    self._by_id[folder.stat().st_ino] = (place, container)
                except OSError:
                    continue
