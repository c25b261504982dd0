"""Objects into the cluster by server-side apply, and out of it again; what kubectl apply does, for `install`.

Comes in: objects. Goes out: requests; each object is reported by a callback as it is done.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import cast

from kubectl_trace.client import APPLY_PATCH, Api, ApiError, Json, NotFound
from kubectl_trace.errors import CommandError
from kubectl_trace.exit_status import ExitStatus

FIELD_MANAGER = "kubectl-trace"


@dataclass(slots=True)
class Applier:
    """Knows where each kind lives, by asking the server once per API version."""

    api: Api
    _resources: dict[str, dict[str, tuple[str, bool]]] = field(default_factory=dict)

    def apply(self, manifest: Json) -> Json:
        """The object as it is now. What another manager set and this one wants otherwise is taken over."""
        return self.api.request(
            "PATCH",
            self.path(manifest),
            query={"fieldManager": FIELD_MANAGER, "force": True},
            body=manifest,
            content_type=APPLY_PATCH,
        )

    def delete(self, manifest: Json) -> bool:
        """Whether there was something to delete."""
        try:
            self.api.request("DELETE", self.path(manifest), query={"propagationPolicy": "Foreground"})
        except NotFound:
            return False
        except ApiError as error:
            if "no kind" in error.message:
                return False
            raise
        return True

    def wait_gone(self, manifest: Json, *, timeout: float) -> None:
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            try:
                self.api.request("GET", self.path(manifest))
            except NotFound:
                return
            time.sleep(0.2)
        raise CommandError(f"{describe(manifest)} is still there after {timeout:g} s", status=ExitStatus.TIMED_OUT)

    def path(self, manifest: Json) -> str:
        """Where the object is in the API."""
        version, kind = str(manifest["apiVersion"]), str(manifest["kind"])
        root = f"/api/{version}" if "/" not in version else f"/apis/{version}"
        if version not in self._resources:
            found = self.api.request("GET", root)
            self._resources[version] = {
                str(item["kind"]): (str(item["name"]), bool(item["namespaced"]))
                for item in cast(list[Json], found["resources"])
                if "/" not in str(item["name"])
            }
        if kind not in self._resources[version]:
            raise ApiError(f"this cluster has no kind {kind} of {version}", hint="Kubernetes 1.30 or newer is needed")
        resource, namespaced = self._resources[version][kind]
        metadata = cast(dict[str, str], manifest["metadata"])
        inside = f"/namespaces/{metadata['namespace']}" if namespaced else ""
        return f"{root}{inside}/{resource}/{metadata['name']}"


def describe(manifest: Json) -> str:
    metadata = cast(dict[str, str], manifest["metadata"])
    return f"{str(manifest['kind']).lower()}/{metadata['name']}"


def wait_established(api: Api, crd: Json, *, timeout: float) -> None:
    """Until the server serves the new resource."""
    name = cast(dict[str, str], crd["metadata"])["name"]
    path = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{name}"
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        status = cast(Json, api.request("GET", path).get("status") or {})
        conditions = cast(list[dict[str, str]], status.get("conditions") or [])
        if any(item["type"] == "Established" and item["status"] == "True" for item in conditions):
            return
        time.sleep(0.1)
    raise CommandError(f"the resource {name} isn't served after {timeout:g} s", status=ExitStatus.TIMED_OUT)


def wait_available(api: Api, deployment: Json, *, timeout: float) -> None:
    """Until the Deployment's own generation runs; CommandError says what its pods wait for."""
    metadata = cast(dict[str, str], deployment["metadata"])
    path = f"/apis/apps/v1/namespaces/{metadata['namespace']}/deployments/{metadata['name']}"
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        if _available(api.request("GET", path)):
            return
        time.sleep(0.3)
    waits = _waits(api, namespace=metadata["namespace"], labels=_pod_labels(deployment))
    raise CommandError(
        f"{describe(deployment)} isn't ready after {timeout:g} s{': ' + waits if waits else ''}",
        hint=f"kubectl -n {metadata['namespace']} describe pods",
        status=ExitStatus.TIMED_OUT,
    )


def _available(deployment: Json) -> bool:
    metadata = cast(dict[str, int], deployment["metadata"])
    status = cast(dict[str, int], deployment.get("status") or {})
    wanted = cast(dict[str, int], deployment["spec"]).get("replicas", 1)
    return (
        status.get("observedGeneration", 0) >= metadata["generation"]
        and status.get("updatedReplicas", 0) >= wanted
        and status.get("availableReplicas", 0) >= wanted
        and status.get("replicas", 0) == wanted
    )


def _pod_labels(deployment: Json) -> str:
    spec = cast(dict[str, dict[str, dict[str, str]]], deployment["spec"])
    return ",".join(f"{key}={value}" for key, value in spec["selector"]["matchLabels"].items())


def _waits(api: Api, *, namespace: str, labels: str) -> str:
    """What the newest pods say about why they aren't running."""
    listed = api.request("GET", f"/api/v1/namespaces/{namespace}/pods", query={"labelSelector": labels})
    said = []
    for pod in cast(list[Json], listed.get("items") or []):
        status = cast(Json, pod.get("status") or {})
        for container in cast(list[Json], status.get("containerStatuses") or []):
            waiting = cast(Json, cast(Json, container.get("state") or {}).get("waiting") or {})
            if waiting:
                said.append(f"{waiting.get('reason')} {waiting.get('message') or ''}".strip())
        for condition in cast(list[dict[str, str]], status.get("conditions") or []):
            if condition.get("type") == "PodScheduled" and condition.get("status") == "False":
                said.append(condition.get("message", ""))
    return "; ".join(dict.fromkeys(said))
