"""TraceJobs and ClusterTraceJobs as the client sees them: where they are in the API, what they say.

Comes in: an `Api`, names, manifests. Goes out: `Job`s. Requests only; what a job's status means is `outcome`'s.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import cast

import msgspec

from kubectl_trace.client import MERGE_PATCH, Api, ApiError, Forbidden, Json, NotFound
from kubectl_trace.errors import UsageMistake
from tracejob_api.labels import API_VERSION, CLUSTER_KIND, CLUSTER_PLURAL, TRACEJOB_KIND, TRACEJOB_PLURAL
from tracejob_api.status import TraceJobStatus

_SPELLINGS = {
    "tj": False, "tracejob": False, "tracejobs": False, "ctj": True, "clustertracejob": True, "clustertracejobs": True,
}  # fmt: skip


WATCH_SECONDS = 240
"""After that the server ends a watch, and it is taken up again."""


@dataclass(frozen=True, slots=True)
class JobName:
    """Which job. `namespace` is empty for a ClusterTraceJob."""

    name: str
    namespace: str

    @property
    def cluster(self) -> bool:
        return not self.namespace

    @property
    def path(self) -> str:
        return f"{collection_path(self.namespace)}/{self.name}"

    @property
    def words(self) -> str:
        """The job as a user would name it to another verb."""
        return f"ctj/{self.name}" if self.cluster else f"{self.name} -n {self.namespace}"

    def __str__(self) -> str:
        return f"clustertracejob/{self.name}" if self.cluster else f"tracejob/{self.name}"


@dataclass(frozen=True, slots=True)
class Job:
    """One job at one version."""

    name: JobName
    uid: str
    version: str
    deleting: bool
    spec: Json
    status: TraceJobStatus
    raw: Json

    @property
    def program(self) -> str:
        program = cast(Mapping[str, str], self.spec.get("program") or {})
        return program.get("inline") or ""


def collection_path(namespace: str, *, cluster: bool = False) -> str:
    """Where jobs are: of a namespace, of all (`namespace` empty, not `cluster`: see `get`), or cluster-scoped."""
    if cluster or not namespace:
        return f"/apis/{API_VERSION}/{CLUSTER_PLURAL}"
    return f"/apis/{API_VERSION}/namespaces/{namespace}/{TRACEJOB_PLURAL}"


def parse_job_name(word: str, *, namespace: str) -> JobName:
    """`NAME`, `tj/NAME` or `ctj/NAME`."""
    kind, slash, name = word.rpartition("/")
    if not slash:
        return JobName(name, namespace)
    if kind.lower() not in _SPELLINGS or not name:
        raise UsageMistake(
            f"{word!r} is no trace job", hint="write NAME or tj/NAME, and ctj/NAME for a ClusterTraceJob"
        )
    return JobName(name, "" if _SPELLINGS[kind.lower()] else namespace)


def find(api: Api, word: str) -> Job:
    """The job that a user names. A bare name that no TraceJob has may be a ClusterTraceJob's."""
    name = parse_job_name(word, namespace=api.namespace)
    try:
        return get(api, name)
    except NotFound as error:
        if not name.cluster and "/" not in word:
            try:
                return get(api, JobName(word, ""))
            except (NotFound, Forbidden):
                pass
        where = "" if name.cluster else f" in namespace {name.namespace}"
        raise NotFound(f"no {str(name).replace('/', ' ')}{where}", hint="`kubectl trace get -A` lists them") from error


def get(api: Api, name: JobName) -> Job:
    return decode(api.request("GET", name.path))


def of_namespace(api: Api, namespace: str) -> list[Job]:
    """All TraceJobs of a namespace."""
    listed = api.request("GET", collection_path(namespace))
    # Items of a list don't say their kind.
    return [decode({"kind": TRACEJOB_KIND, **item}) for item in cast(list[Json], listed.get("items") or [])]


def create(api: Api, manifest: Json, *, namespace: str, dry_run: bool = False) -> Json:
    """The object as the server made it (names and defaults filled in)."""
    query: dict[str, str | bool | int] = {"fieldManager": "kubectl-trace", "fieldValidation": "Strict"}
    if dry_run:
        query["dryRun"] = "All"
    return api.request("POST", collection_path(namespace), query=query, body=manifest)


def stop(api: Api, name: JobName) -> Job:
    """Ask the job to end with its results."""
    return decode(api.request("PATCH", name.path, body={"spec": {"stop": True}}, content_type=MERGE_PATCH))


def delete(api: Api, name: JobName) -> None:
    api.request("DELETE", name.path, query={"propagationPolicy": "Background"})


def watch(api: Api, job: Job, *, seconds: int = WATCH_SECONDS) -> Iterator[Job | None]:
    """The job's versions from `job` on; None once it is deleted. Ends when the server ends the watch."""
    query: dict[str, str | bool | int] = {
        "watch": True,
        "fieldSelector": f"metadata.name={job.name.name}",
        "resourceVersion": job.version,
        "timeoutSeconds": seconds,
    }
    # A connection that died without a word ends by the read timeout; the server ends a live one before that.
    with api.lines(collection_path(job.name.namespace), query=query, read_timeout=seconds + 30) as lines:
        for line in lines:
            event = msgspec.json.decode(line, type=dict[str, object])
            match event.get("type"):
                case "DELETED":
                    yield None
                    return
                case "ADDED" | "MODIFIED":
                    yield decode(cast(Json, event["object"]))
                case "ERROR":
                    return


def decode(raw: Json) -> Job:
    """The object as JSON, typed; ApiError when it isn't a job that this client understands."""
    metadata = cast(Json, raw.get("metadata") or {})
    if raw.get("kind") not in (TRACEJOB_KIND, CLUSTER_KIND):
        raise ApiError(f"the server answered with a {raw.get('kind')}, not with a trace job")
    try:
        status = msgspec.convert(raw.get("status") or {}, TraceJobStatus)
    except msgspec.ValidationError as error:
        raise ApiError(
            f"this client doesn't understand the job's status: {error}",
            hint="client and operator are of different versions: `kubectl trace version`",
        ) from error
    return Job(
        name=JobName(str(metadata["name"]), str(metadata.get("namespace") or "")),
        uid=str(metadata["uid"]),
        version=str(metadata["resourceVersion"]),
        deleting="deletionTimestamp" in metadata,
        spec=cast(Json, raw.get("spec") or {}),
        status=status,
        raw=raw,
    )
