"""The whole result of a job: merged maps, printed output, losses and cost; from its ConfigMaps, else from its status.

Comes in: an `Api` and a job. Goes out: a `FullResult`, which says what it lacks. `view` rights in the job's namespace
are enough for all of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from kubectl_trace.client import Api, Json
from kubectl_trace.errors import CommandError
from kubectl_trace.jobs import Job
from kubectl_trace.outcome import finished
from tracejob_api.labels import LABEL_JOB_UID
from tracejob_api.maps import MapSnapshot
from tracejob_api.records import Losses
from tracejob_api.results import ResultError, WholeResult, unpack
from tracejob_api.status import NodeCost, OutputLine, Results


@dataclass(frozen=True, slots=True)
class FullResult:
    """What a job gave. `note` says why this isn't all; empty when it is."""

    maps: tuple[MapSnapshot, ...]
    output: tuple[OutputLine, ...]
    losses: Losses
    cost: NodeCost
    note: str = ""


def gather(api: Api, job: Job) -> FullResult:
    """The job's result so far. What can't be had is left out with a note."""
    status = job.status
    try:
        whole = _whole(api, job)
    except (CommandError, ResultError) as error:
        # Of a running job the parts may be of two moments; its status is of one.
        note = f"only the digest in the status can be shown: {error}" if finished(status) else ""
        return _of_status(job, note=note)
    if whole is None:
        return _of_status(job, note=_left_out(status.results))
    header = whole.header
    missing = [
        f"{count} {words}"
        for count, words in ((header.entries_omitted, "map keys"), (header.output_omitted, "output lines"))
        if count
    ]
    return FullResult(
        maps=whole.maps,
        output=whole.output,
        losses=header.losses if header.complete else status.losses,
        cost=status.results.cost,
        note=f"too large to be kept whole: {' and '.join(missing)} were left out" if missing else "",
    )


def _whole(api: Api, job: Job) -> WholeResult | None:
    """What the job's ConfigMaps hold; None when there are none."""
    parts = []
    for ref in job.status.results.refs:
        found = api.request("GET", f"/api/v1/namespaces/{ref.namespace}/configmaps/{ref.name}")
        labels = cast(dict[str, str], cast(Json, found["metadata"]).get("labels") or {})
        if labels.get(LABEL_JOB_UID) != job.uid:
            raise ResultError(f"the ConfigMap {ref.name} isn't this job's")
        parts.append(cast(dict[str, str], found.get("data") or {}))
    return unpack(parts) if parts else None


def _of_status(job: Job, *, note: str) -> FullResult:
    results = job.status.results
    return FullResult(maps=results.maps, output=results.output, losses=job.status.losses, cost=results.cost, note=note)


def _left_out(results: Results) -> str:
    keys = sum(item.omitted for item in results.maps)
    parts = [
        f"{count} {words}"
        for count, words in (
            (results.maps_omitted, "maps"),
            (keys, "map keys"),
            (results.output_omitted, "output lines"),
        )
        if count
    ]
    return f"left out of the status: {', '.join(parts)}" if parts else ""
