"""The request's pods on this node: which directories and processes they are, and how each is doing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tracejob_agent.target.cgroups import CgroupTree, processes
from tracejob_agent.target.processes import ProcessMatch
from tracejob_api.records import TargetReport
from tracejob_api.request import PodTarget, ProcessFilter


@dataclass(frozen=True, slots=True)
class Place:
    """A target that is here: a pod (container ""), or one of its containers."""

    pod: PodTarget
    container: str
    folder: Path


@dataclass(frozen=True, slots=True)
class Resolution:
    """places: what was found; reports: one for each target asked for, found or not."""

    places: tuple[Place, ...]
    reports: tuple[TargetReport, ...]

    @property
    def folders(self) -> tuple[Path, ...]:
        return tuple(place.folder for place in self.places)

    @property
    def is_complete(self) -> bool:
        return all(report.state == "attached" for report in self.reports)

    def pids(self, match: ProcessMatch | None = None) -> list[int]:
        """The targets' processes, those that match."""
        found = [pid for folder in self.folders for pid in processes(folder)]
        return [pid for pid in found if match is None or match.holds(pid)]


def resolve(pods: Sequence[PodTarget], tree: CgroupTree) -> Resolution:
    """A pod's own directory outlives its containers; a named container is the directory of its id."""
    folders = tree.pods([pod.uid for pod in pods])
    places: list[Place] = []
    reports: list[TargetReport] = []
    for pod in pods:
        folder = folders.get(pod.uid) or _folder_by_container(pod, tree)
        if pod.all_containers:
            if folder is not None:
                places.append(Place(pod, "", folder))
            reports.append(_report(pod, "", folder))
            continue
        found = tree.containers([item.id for item in pod.containers], below=folder) if folder else {}
        for container in pod.containers:
            at = found.get(container.id)
            if at is not None:
                places.append(Place(pod, container.name, at))
            reports.append(_report(pod, container.name, at))
    return Resolution(tuple(places), tuple(reports))


def process_match(wanted: ProcessFilter) -> ProcessMatch:
    return ProcessMatch(pid=wanted.pid, comm=wanted.comm, exe=wanted.exe, cmdline=wanted.cmdline)


def _folder_by_container(pod: PodTarget, tree: CgroupTree) -> Path | None:
    """Of a static pod, whose directory carries another uid than the API shows."""
    found = tree.containers([item.id for item in pod.containers if item.id])
    return next(iter(found.values())).parent if found else None


def _report(pod: PodTarget, container: str, folder: Path | None) -> TargetReport:
    if folder is not None:
        return TargetReport(uid=pod.uid, container=container)
    what = f"container {container} of pod {pod.name}" if container else f"pod {pod.name}"
    return TargetReport(uid=pod.uid, container=container, state="missing", message=f"{what} has no cgroup on this node")
