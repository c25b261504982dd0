"""All jobs that the operator knows: each event of the API server finds or starts the task that takes care of its job.

A job's task: the finalizer, then the controller until the job has finished, then the TTL; when the job is being
deleted, its agents go first and then the finalizer.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import msgspec

from tracejob_api import labels
from tracejob_api.spec import ClusterTraceJobSpec, TraceJobSpec
from tracejob_api.status import TraceJobStatus
from tracejob_operator.client import Api, APIConflictError, APIError, APINotFoundError
from tracejob_operator.controller import Controller
from tracejob_operator.kube import Metadata, Pod
from tracejob_operator.picture import Job
from tracejob_operator.reporter import job_path
from tracejob_operator.settings import Settings

_LOG = logging.getLogger(__name__)
_RETRY_SECONDS = 1.0
_GONE_SECONDS = 30.0
_GONE_POLL_SECONDS = 0.2


class _Resource(msgspec.Struct, frozen=True):
    """A TraceJob as the API server shows it; its spec is read once the kind is known."""

    kind: str
    metadata: Metadata
    spec: msgspec.Raw
    status: TraceJobStatus = TraceJobStatus()


class JobError(Exception):
    """An object that isn't a job of this version."""


def read_job(body: Mapping[str, object]) -> tuple[Job, Metadata]:
    """The job of an object; JobError when it can't be read (a version of the CRD that isn't ours)."""
    try:
        resource = msgspec.json.decode(msgspec.json.encode(body), type=_Resource)
        spec: TraceJobSpec | ClusterTraceJobSpec
        if resource.kind == labels.CLUSTER_KIND:
            spec = msgspec.json.decode(resource.spec, type=ClusterTraceJobSpec)
        else:
            spec = msgspec.json.decode(resource.spec, type=TraceJobSpec)
    except msgspec.MsgspecError as error:
        raise JobError(str(error)) from error
    metadata = resource.metadata
    job = Job(
        name=metadata.name,
        namespace=metadata.namespace,
        uid=metadata.uid,
        generation=metadata.generation,
        created=metadata.creation_timestamp or datetime.now(UTC),
        spec=spec,
        status=resource.status,
    )
    return job, metadata


@dataclass(slots=True)
class _Entry:
    job: Job
    metadata: Metadata
    controller: Controller | None = None
    task: asyncio.Task[None] | None = None
    changed: asyncio.Event = field(default_factory=asyncio.Event)


class Jobs:
    """The registry. `observe` never waits for a job's work."""

    def __init__(self, api: Api, *, settings: Settings) -> None:
        self._api = api
        self._settings = settings
        self._entries: dict[str, _Entry] = {}

    def observe(self, body: Mapping[str, object], *, deleted: bool) -> None:
        """An event about a job, or its first sight."""
        try:
            job, metadata = read_job(body)
        except JobError as error:
            _LOG.error("an object that isn't a job of this version: %s", error)
            return
        entry = self._entries.get(job.uid)
        if deleted:
            if entry is not None and entry.task is not None:
                entry.task.cancel()
            self._entries.pop(job.uid, None)
            return
        if entry is None:
            entry = self._entries[job.uid] = _Entry(job=job, metadata=metadata)
            entry.task = asyncio.create_task(self._care(entry), name=f"job {job.namespace}/{job.name}")
            return
        entry.job, entry.metadata = job, metadata
        entry.changed.set()
        if entry.controller is not None:
            entry.controller.update(job)

    async def close(self) -> None:
        """Stop caring; agents run on, and the next operator finds them."""
        tasks = [entry.task for entry in self._entries.values() if entry.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _care(self, entry: _Entry) -> None:
        while True:
            try:
                await self._live(entry)
                return
            except APIError as error:
                _LOG.warning("job %s: %s", entry.job.name, error)
            except Exception:
                _LOG.exception("job %s", entry.job.name)
            await asyncio.sleep(_RETRY_SECONDS)

    async def _live(self, entry: _Entry) -> None:
        """From the finalizer to the end."""
        if entry.metadata.deletion_timestamp is None:
            await self._set_finalizer(entry, wanted=True)
            await self._run_until_deleted(entry)
        if labels.FINALIZER in entry.metadata.finalizers:
            await self._remove_agents(entry.job)
            await self._set_finalizer(entry, wanted=False)

    async def _run_until_deleted(self, entry: _Entry) -> None:
        """Returns when the job is being deleted (or gone); the controller is left alone by then."""
        work = asyncio.create_task(self._run(entry))
        try:
            while entry.metadata.deletion_timestamp is None:
                changed = asyncio.create_task(entry.changed.wait())
                await asyncio.wait({work, changed} if not work.done() else {changed}, return_when="FIRST_COMPLETED")
                changed.cancel()
                entry.changed.clear()
                if work.done():
                    work.result()
        finally:
            entry.controller = None
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)

    async def _run(self, entry: _Entry) -> None:
        """The controller, then the TTL."""
        phase = entry.job.status.phase
        if phase is None or not phase.finished:
            entry.controller = Controller(self._api, settings=self._settings, job=entry.job)
            await entry.controller.run()
            entry.controller = None
        while (left := _time_to_live(entry.job)) is None or left > 0:
            # The TTL may change, and the status that was just written comes back a moment later.
            slow = entry.job.spec.ttl_seconds_after_finished is None
            await asyncio.sleep((30 if slow else 1) if left is None else min(left, 30))
        await self._api.delete(job_path(entry.job))

    async def _set_finalizer(self, entry: _Entry, *, wanted: bool) -> None:
        """Our name in metadata.finalizers, or not; others' names stay. After a conflict, a newer version is coming."""
        while True:
            names = [name for name in entry.metadata.finalizers if name != labels.FINALIZER]
            if wanted == (labels.FINALIZER in entry.metadata.finalizers):
                return
            metadata = {
                "finalizers": [*names, labels.FINALIZER] if wanted else names,
                "resourceVersion": entry.metadata.resource_version,
            }
            try:
                await self._api.patch(job_path(entry.job), {"metadata": metadata})
                return
            except APINotFoundError:
                return
            except APIConflictError:
                await asyncio.sleep(0.05)

    async def _remove_agents(self, job: Job) -> None:
        """Delete the job's agent pods and wait until they are gone; each has time to detach."""
        path = f"/api/v1/namespaces/{self._settings.namespace}/pods"
        query = {"labelSelector": f"{labels.LABEL_JOB_UID}={job.uid}"}
        deadline = asyncio.get_running_loop().time() + _GONE_SECONDS
        asked: set[str] = set()
        while pods := (await self._api.list(path, Pod, query=query)).items:
            late = asyncio.get_running_loop().time() > deadline
            for pod in pods:
                name = pod.metadata.name
                if name not in asked:
                    await self._api.delete(f"{path}/{name}")
                    asked.add(name)
                elif late:
                    await self._api.delete(f"{path}/{name}", grace_seconds=0)
            await asyncio.sleep(_GONE_POLL_SECONDS)


def _time_to_live(job: Job) -> float | None:
    """Seconds until the finished job is to be deleted; None: never, or not finished yet."""
    ttl = job.spec.ttl_seconds_after_finished
    if ttl is None or job.status.completion_time is None:
        return None
    ended = datetime.fromisoformat(job.status.completion_time)
    return (ended + timedelta(seconds=ttl) - datetime.now(UTC)).total_seconds()
