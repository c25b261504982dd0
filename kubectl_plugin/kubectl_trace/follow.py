"""Follows a running job: its status, and (for who may) the logs of its agents, as one stream of events.

Comes in: an `Api` and a job. Goes out: events in the order in which they arrive. One thread watches the job, one the
agent pods, one reads each agent's log; whoever iterates over `events` sees them one after the other.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import cast

import msgspec

from kubectl_trace import jobs
from kubectl_trace.client import Api, ApiError, Gone, Json, NotFound, Refused, Unreachable
from kubectl_trace.errors import CommandError
from kubectl_trace.jobs import Job
from kubectl_trace.outcome import finished
from tracejob_api.labels import (
    AGENT_CONTAINER,
    ANNOTATION_NODE,
    COMPONENT_AGENT,
    LABEL_COMPONENT,
    LABEL_JOB_UID,
    SYSTEM_NAMESPACE,
)
from tracejob_api.records import AnyRecord, RecordError, Result, decode_record

PATIENCE = 60.0
"""Seconds for which an API server may be away before following is given up."""

SILENCE = 10.0
"""Seconds after which a job that no operator has looked at is worth a word."""

_RETRY = 0.3


@dataclass(frozen=True, slots=True)
class JobSeen:
    """A new version of the job; None: it was deleted."""

    job: Job | None


@dataclass(frozen=True, slots=True)
class RecordSeen:
    """A record of the agent on `node`; `line` is it as it was written."""

    node: str
    record: AnyRecord
    line: bytes


@dataclass(frozen=True, slots=True)
class Interrupted:
    """The user pressed Ctrl-C for the `times`th time."""

    times: int


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something that goes on by itself, such as an API server that is away for a moment."""

    message: str


@dataclass(frozen=True, slots=True)
class GivenUp:
    """Following can't go on; the job may."""

    error: CommandError


Event = JobSeen | RecordSeen | Interrupted | Trouble | GivenUp


class Follower:
    """The threads behind one followed job. Not started until `start`; all are daemons and end with the process."""

    def __init__(self, api: Api, job: Job, *, agents_in: str) -> None:
        """`agents_in`: the namespace whose agent logs are read; empty: none are."""
        self._api = api
        self._job = job
        self._agents_in = agents_in
        self._queue: SimpleQueue[Event] = SimpleQueue()
        self._closed = threading.Event()
        self._taken_up = threading.Event()
        self._logs: dict[str, threading.Thread] = {}
        self._lock = threading.Lock()
        self._interrupts = 0

    def start(self) -> None:
        self._spawn(self._watch_job)
        self._spawn(self._watch_silence)
        if self._agents_in:
            self._spawn(self._watch_agents)

    def interrupt(self) -> None:
        """Tell the reader of `events` that Ctrl-C was pressed; safe in a signal handler."""
        self._interrupts += 1
        self._queue.put(Interrupted(self._interrupts))

    def close(self) -> None:
        self._closed.set()

    def events(self) -> Iterator[Event]:
        """Events until the job has ended and (for at most 5 s more) its agents' logs were read to their end."""
        deadline: float | None = None
        while True:
            try:
                event = self._queue.get(timeout=0.05 if deadline is not None else None)
            except Empty:
                if deadline is not None and (not self._reading() or time.monotonic() > deadline):
                    return
                continue
            yield event
            match event:
                case JobSeen(job=None) | GivenUp():
                    return
                case JobSeen(job=Job(status=status)) if finished(status):
                    deadline = deadline or time.monotonic() + 5.0

    def _spawn(self, work: Callable[..., None], *arguments: str) -> threading.Thread:
        thread = threading.Thread(target=work, args=arguments, daemon=True)
        thread.start()
        return thread

    def _reading(self) -> bool:
        with self._lock:
            return any(thread.is_alive() for thread in self._logs.values())

    def _watch_silence(self) -> None:
        """Say so when nobody takes the job up: an operator that doesn't run tells nothing by itself."""
        if self._job.status.phase is None and not self._taken_up.wait(SILENCE) and not self._closed.is_set():
            self._queue.put(
                Trouble(
                    f"no operator has taken up the job after {SILENCE:g} s; "
                    f"does it run? kubectl -n {SYSTEM_NAMESPACE} get pods"
                )
            )

    def _watch_job(self) -> None:
        job = self._job
        self._queue.put(JobSeen(job))
        patience = _Patience(self._queue)
        while not self._closed.is_set() and not finished(job.status):
            try:
                for seen in jobs.watch(self._api, job):
                    patience.restored()
                    self._queue.put(JobSeen(seen))
                    if seen is None:
                        return
                    if seen.status.phase is not None:
                        self._taken_up.set()
                    job = seen
                    if finished(job.status):
                        return
                job = self._refreshed(job)
            except Gone:
                continue
            except NotFound:
                self._queue.put(JobSeen(None))
                return
            except CommandError as error:
                if not patience.goes_on(error):
                    self._queue.put(GivenUp(error))
                    return

    def _refreshed(self, job: Job) -> Job:
        """The job after a watch ended: what changed meanwhile is told as well."""
        seen = jobs.get(self._api, job.name)
        if seen.uid != job.uid:
            raise NotFound(f"{job.name} was replaced by another of that name")
        if seen.version != job.version:
            self._queue.put(JobSeen(seen))
        return seen

    def _watch_agents(self) -> None:
        path = f"/api/v1/namespaces/{self._agents_in}/pods"
        selector = _agents_of(self._job)
        patience = _Patience(self._queue)
        while not self._closed.is_set():
            try:
                listed = self._api.request("GET", path, query={"labelSelector": selector})
                for pod in cast(list[Json], listed.get("items") or []):
                    self._agent_seen(pod)
                version = cast(Json, listed["metadata"])["resourceVersion"]
                query: dict[str, str | bool | int] = {
                    "labelSelector": selector,
                    "watch": True,
                    "resourceVersion": str(version),
                    "timeoutSeconds": jobs.WATCH_SECONDS,
                }
                with self._api.lines(path, query=query, read_timeout=jobs.WATCH_SECONDS + 30) as lines:
                    for line in lines:
                        patience.restored()
                        event = msgspec.json.decode(line, type=dict[str, object])
                        if event.get("type") in ("ADDED", "MODIFIED"):
                            self._agent_seen(cast(Json, event["object"]))
            except Gone:
                continue
            except CommandError as error:
                if not patience.goes_on(error):
                    self._queue.put(Trouble(f"the agents can't be watched any more: {error.message}"))
                    return

    def _agent_seen(self, pod: Json) -> None:
        name = str(cast(Json, pod["metadata"])["name"])
        with self._lock:
            if name in self._logs or not _has_log(pod):
                return
            self._logs[name] = self._spawn(self._read_log, name, _node(pod))

    def _read_log(self, pod: str, node: str) -> None:
        """One agent's records, each once, until its last; a broken stream is read again from the start."""
        path = f"/api/v1/namespaces/{self._agents_in}/pods/{pod}/log"
        following = 0
        patience = _Patience(self._queue)
        while not self._closed.is_set():
            try:
                with self._api.lines(path, query={"follow": True, "container": AGENT_CONTAINER}) as lines:
                    for line in lines:
                        patience.restored()
                        record = _record(line)
                        if record is None or record.seq < following:
                            continue
                        following = record.seq + 1
                        self._queue.put(RecordSeen(node=node, record=record, line=line))
                        if isinstance(record, Result):
                            return
                if self._ended(pod):
                    return
            except NotFound:
                return
            except Refused:  # 400: the container is still being made
                time.sleep(_RETRY)
            except CommandError as error:
                if not patience.goes_on(error):
                    self._queue.put(Trouble(f"the log of the agent on {node} can't be read: {error.message}"))
                    return

    def _ended(self, pod: str) -> bool:
        found = self._api.request("GET", f"/api/v1/namespaces/{self._agents_in}/pods/{pod}")
        status = cast(dict[str, str], found.get("status") or {})
        return status.get("phase") in ("Succeeded", "Failed")


def kept_records(api: Api, job: Job, *, agents_in: str) -> list[RecordSeen]:
    """Every record that the logs of the job's agents hold by now, by time; those of one agent keep their order."""
    found: list[RecordSeen] = []
    listed = api.request("GET", f"/api/v1/namespaces/{agents_in}/pods", query={"labelSelector": _agents_of(job)})
    for pod in cast(list[Json], listed.get("items") or []):
        if not _has_log(pod):
            continue
        name = str(cast(Json, pod["metadata"])["name"])
        text = api.text(f"/api/v1/namespaces/{agents_in}/pods/{name}/log", query={"container": AGENT_CONTAINER})
        for line in text.encode(errors="surrogateescape").split(b"\n"):
            record = _record(line)
            if record is not None:
                found.append(RecordSeen(node=_node(pod), record=record, line=line))
    return sorted(found, key=lambda seen: seen.record.t)


class _Patience:
    """How long an absent API server is waited for, and what is said about it."""

    def __init__(self, queue: SimpleQueue[Event]) -> None:
        self._queue = queue
        self._since: float | None = None

    def restored(self) -> None:
        self._since = None

    def goes_on(self, error: CommandError) -> bool:
        """Whether to try again (after a pause) after `error`."""
        transient = isinstance(error, Unreachable) or type(error) is ApiError
        now = time.monotonic()
        if self._since is None:
            self._since = now
            if transient:
                self._queue.put(Trouble(f"{error.message}; trying again"))
        if not transient or now - self._since > PATIENCE:
            return False
        time.sleep(_RETRY)
        return True


def _agents_of(job: Job) -> str:
    return f"{LABEL_JOB_UID}={job.uid},{LABEL_COMPONENT}={COMPONENT_AGENT}"


def _node(pod: Json) -> str:
    """The node of an agent pod; before it is scheduled, the one it is meant for."""
    metadata = cast(Json, pod["metadata"])
    annotations = cast(dict[str, str], metadata.get("annotations") or {})
    spec = cast(dict[str, str], pod.get("spec") or {})
    return annotations.get(ANNOTATION_NODE) or spec.get("nodeName") or str(metadata["name"])


def _has_log(pod: Json) -> bool:
    """Whether the agent's container has started."""
    status = cast(Json, pod.get("status") or {})
    containers = cast(list[Json], status.get("containerStatuses") or [])
    return any(cast(Json, item.get("state") or {}).keys() & {"running", "terminated"} for item in containers)


def _record(line: bytes) -> AnyRecord | None:
    """The record of a line; None for what an agent's Python or the kubelet wrote in between."""
    try:
        return decode_record(line)
    except RecordError:
        return None
