"""Tell how a job is doing: its status, and the ConfigMaps with the whole result.

A change of phase, conditions or rows is told at once; maps and output follow every `interval`. Nothing is written
that is there already.
"""

from __future__ import annotations

import logging
import time
from dataclasses import replace

import msgspec

from tracejob_api import labels
from tracejob_api.maps import MapSnapshot
from tracejob_api.status import TraceJobStatus
from tracejob_operator.client import Api, APIError, APINotFoundError, PatchKind
from tracejob_operator.conditions import ResultsState
from tracejob_operator.merge import merge_maps
from tracejob_operator.picture import Job, Picture
from tracejob_operator.results import ResultWriter, whole_result
from tracejob_operator.settings import Settings
from tracejob_operator.status import Head, head_of, status_of

_LOG = logging.getLogger(__name__)
_MIN_INTERVAL = 0.5
_ATTEMPTS = 5


class Reporter:
    """The only writer of a job's status and results."""

    def __init__(self, api: Api, *, settings: Settings, job: Job) -> None:
        self._api = api
        self._path = job_path(job)
        namespace = job.namespace or settings.namespace
        self._writer = ResultWriter(api, namespace=namespace, refs=job.status.results.refs)
        self._written: TraceJobStatus | None = None
        self._head: Head | None = None
        self._told_at = 0.0
        self._refusals = 0
        self._started = time.monotonic()

    async def report(self, picture: Picture) -> bool:
        """True once the job has finished and all of it is written."""
        if self._written is not None:
            # What the API server shows may be older than what was told last.
            picture = replace(picture, job=replace(picture.job, status=self._written))
        now = time.monotonic()
        finished = picture.finished()
        due = now - max(self._told_at, self._started) >= max(picture.job.interval, _MIN_INTERVAL)
        head = head_of(picture)
        if not (finished or due or head != self._head):
            return False
        maps = merged_maps(picture)
        results = ResultsState.PENDING
        try:
            if finished or due:
                self._told_at = now
                results = await self._write_results(picture, maps, finished=finished)
            await self._write_status(status_of(picture, maps=maps, refs=tuple(self._writer.refs), results=results))
            self._head = head
        except APINotFoundError:
            return True  # the job is gone
        except APIError as error:
            _LOG.warning("telling about %s: %s", self._path, error)
            return False
        return finished and results is not ResultsState.PENDING

    async def _write_results(self, picture: Picture, maps: tuple[MapSnapshot, ...], *, finished: bool) -> ResultsState:
        if not any(agent.log.attached for agent in picture.agents.values()):
            return ResultsState.NONE if finished else ResultsState.PENDING
        try:
            await self._writer.write(picture.job, whole_result(picture, maps=maps, complete=finished))
        except APIError as error:
            _LOG.warning("results of %s: %s", self._path, error)
            self._refusals += finished
            return ResultsState.REFUSED if self._refusals >= _ATTEMPTS else ResultsState.PENDING
        return ResultsState.WRITTEN if finished else ResultsState.PENDING

    async def _write_status(self, status: TraceJobStatus) -> None:
        if status == self._written:
            return
        patch = [{"op": "add", "path": "/status", "value": msgspec.to_builtins(status)}]
        await self._api.patch(f"{self._path}/status", patch, kind=PatchKind.JSON)
        self._written = status


def merged_maps(picture: Picture) -> tuple[MapSnapshot, ...]:
    """The maps of all agents that have any, as one."""
    by_node = {node: agent.log.maps for node, agent in picture.agents.items() if agent.log.maps}
    if len(by_node) == 1 and len(picture.agents) > 1:
        # The shape of a map doesn't depend on which node was first to answer.
        by_node |= {node: () for node in picture.agents if node not in by_node}
    return merge_maps(by_node) if by_node else ()


def job_path(job: Job) -> str:
    root = f"/apis/{labels.API_VERSION}"
    if job.cluster:
        return f"{root}/{labels.CLUSTER_PLURAL}/{job.name}"
    return f"{root}/namespaces/{job.namespace}/{labels.TRACEJOB_PLURAL}/{job.name}"
