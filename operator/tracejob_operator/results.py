"""The whole result into ConfigMaps beside the job: what to write (pure), and writing it.

The operator may create and patch ConfigMaps, never read or list them. One that somebody else made is never touched: a
taken name gets a suffix, and a patch carries the UID of the ConfigMap that the operator made.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping, Sequence

import msgspec

from tracejob_api import labels
from tracejob_api.maps import MapSnapshot
from tracejob_api.results import NodeResult, ResultHeader, WholeResult, pack
from tracejob_api.status import ResultRef
from tracejob_operator.account import total_losses
from tracejob_operator.client import Api, APIConflictError, APINotFoundError
from tracejob_operator.kube import Metadata
from tracejob_operator.picture import Job, Picture
from tracejob_operator.status import all_output

Json = dict[str, object]
_NAME_ATTEMPTS = 5


class _Created(msgspec.Struct, frozen=True):
    metadata: Metadata


def whole_result(picture: Picture, *, maps: Sequence[MapSnapshot], complete: bool) -> WholeResult:
    """Everything that the agents gave so far."""
    job = picture.job
    agents = picture.agents.values()
    output = all_output(agents)
    header = ResultHeader(
        job=job.name,
        namespace=job.namespace,
        uid=job.uid,
        complete=complete,
        losses=total_losses(agents),
        output_omitted=sum(agent.log.events for agent in agents) - len(output),
        nodes=tuple(
            NodeResult(
                node=agent.node,
                state=agent.verdict.state.value,
                reason=agent.verdict.reason,
                message=agent.verdict.message,
                pods=tuple(f"{pod.namespace}/{pod.name}" for pod in picture.known.get(agent.node, ())),
                kernel=agent.log.hello.kernel if agent.log.hello is not None else "",
                events=agent.log.events,
                missed=agent.log.missed,
                losses=agent.log.losses,
                cost=agent.log.cost,
            )
            for agent in agents
        ),
    )
    return WholeResult(header=header, maps=tuple(maps), output=tuple(output))


def manifest(job: Job, *, name: str, namespace: str, data: Mapping[str, str]) -> Json:
    """A result ConfigMap; its job owns it, so that it goes when the job goes."""
    owner = {"apiVersion": labels.API_VERSION, "kind": job.kind, "name": job.name, "uid": job.uid}
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": {
                labels.LABEL_MANAGED_BY: labels.MANAGER,
                labels.LABEL_COMPONENT: labels.COMPONENT_RESULTS,
                labels.LABEL_JOB_UID: job.uid,
            },
            "annotations": {labels.ANNOTATION_JOB: f"{job.namespace}/{job.name}"},
            "ownerReferences": [owner],
        },
        "data": dict(data),
    }


class ResultWriter:
    """Writes a job's ConfigMaps, and those only that changed. `refs`: what there is."""

    def __init__(self, api: Api, *, namespace: str, refs: Sequence[ResultRef]) -> None:
        self._api = api
        self._namespace = namespace
        self._digests: list[str] = ["" for _ in refs]
        self.refs = list(refs)

    async def write(self, job: Job, result: WholeResult) -> None:
        """APIError when the API server refuses."""
        for number, data in enumerate(pack(result)):
            digest = hashlib.sha256(msgspec.json.encode(data)).hexdigest()
            if number < len(self.refs):
                if self._digests[number] != digest:
                    self.refs[number] = await self._update(job, number=number, data=data)
                    self._digests[number] = digest
            else:
                self.refs.append(await self._create(job, name=f"{job.name}-results-{number}", data=data))
                self._digests.append(digest)

    async def _update(self, job: Job, *, number: int, data: Mapping[str, str]) -> ResultRef:
        ref = self.refs[number]
        # Keys that aren't there any more have to be named.
        every: dict[str, str | None] = {"maps.jsonl": None, "output.jsonl": None, **data}
        try:
            await self._api.patch(
                f"/api/v1/namespaces/{ref.namespace}/configmaps/{ref.name}",
                {"metadata": {"uid": ref.uid}, "data": every},
            )
        except (APINotFoundError, APIConflictError):
            return await self._create(job, name=f"{job.name}-results-{number}", data=data)
        return msgspec.structs.replace(ref, bytes=_size(data))

    async def _create(self, job: Job, *, name: str, data: Mapping[str, str]) -> ResultRef:
        path = f"/api/v1/namespaces/{self._namespace}/configmaps"
        wanted = name
        for _ in range(_NAME_ATTEMPTS):
            body = manifest(job, name=wanted, namespace=self._namespace, data=data)
            try:
                made = await self._api.create(path, body, _Created)
            except APIConflictError:
                wanted = f"{name}-{secrets.token_hex(3)}"
                continue
            return ResultRef(namespace=self._namespace, name=wanted, uid=made.metadata.uid, bytes=_size(data))
        raise APIConflictError(f"no free name for a ConfigMap {name}")


def _size(data: Mapping[str, str]) -> int:
    return sum(len(text.encode()) for text in data.values())
