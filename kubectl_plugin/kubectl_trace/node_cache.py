"""What agents keep on the nodes, removed again: a pod on each node deletes the folder. Part of `uninstall`.

Comes in: the operator's own settings (image, folder), read while it is still there. Goes out: notices, and pods that
are deleted together with the namespace.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping
from pathlib import PurePosixPath
from typing import cast

from kubectl_trace.apply import Applier
from kubectl_trace.client import Api, ApiError, Json, NotFound
from kubectl_trace.operator_settings import OPERATOR_PATH, settings_of
from tracejob_api.labels import SYSTEM_NAMESPACE

_PODS = f"/api/v1/namespaces/{SYSTEM_NAMESPACE}/pods"
_ENDED = ("Succeeded", "Failed")


def remove_caches(api: Api, *, timeout: float, notice: Callable[[str], None]) -> None:
    """Delete the agents' folder on every ready node; what can't be reached is named. Raises ApiError."""
    try:
        settings = settings_of(api.request("GET", OPERATOR_PATH))
    except NotFound:
        return
    folder = settings.get("TRACEJOB_AGENT_CACHE_PATH", "")
    if not folder:
        return
    nodes = cast(list[Json], api.request("GET", "/api/v1/nodes").get("items") or [])
    ready = [_name(node) for node in nodes if _is_ready(node)]
    left = {_name(node): "it isn't ready" for node in nodes} | dict.fromkeys(ready, f"not done within {timeout:g} s")
    notice(f"removing {folder} on {len(ready)} node{'' if len(ready) == 1 else 's'}")
    applier = Applier(api)
    waiting = {}
    for node in ready:
        try:
            pod = removal_pod(node, settings=settings)
            applier.apply(pod)
            waiting[node] = f"{_PODS}/{_name(pod)}"
        except ApiError as error:
            left[node] = error.message
    deadline = time.monotonic() + timeout
    while waiting and time.monotonic() < deadline:
        time.sleep(0.3)
        for node, path in list(waiting.items()):
            phase = cast(dict[str, str], api.request("GET", path).get("status") or {}).get("phase")
            if phase in _ENDED:
                del waiting[node]
                left[node] = "" if phase == "Succeeded" else f"kubectl -n {SYSTEM_NAMESPACE} logs {path.split('/')[-1]}"
    for node, reason in sorted(left.items()):
        if reason:
            notice(f"node {node} keeps {folder}: {reason}")


def removal_pod(node: str, *, settings: Mapping[str, str]) -> Json:
    """A pod that deletes the folder on one node. It sees the folder's parent and nothing else of the node."""
    folder = PurePosixPath(settings["TRACEJOB_AGENT_CACHE_PATH"])
    secrets = [name for name in settings.get("TRACEJOB_AGENT_PULL_SECRETS", "").split(",") if name]
    field = {"key": "metadata.name", "operator": "In", "values": [node]}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": f"tracejob-uninstall-{hashlib.sha256(node.encode()).hexdigest()[:10]}",
            "namespace": SYSTEM_NAMESPACE,
        },
        "spec": {
            "restartPolicy": "Never",
            "activeDeadlineSeconds": 120,
            "automountServiceAccountToken": False,
            "affinity": {
                "nodeAffinity": {
                    "requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [{"matchFields": [field]}]}
                }
            },
            "tolerations": json.loads(settings.get("TRACEJOB_AGENT_TOLERATIONS") or "[]"),
            "imagePullSecrets": [{"name": name} for name in secrets],
            "containers": [
                {
                    "name": "remove",
                    "image": settings["TRACEJOB_AGENT_IMAGE"],
                    "imagePullPolicy": settings.get("TRACEJOB_AGENT_PULL_POLICY") or "IfNotPresent",
                    "command": ["rm", "-rf", f"/parent/{folder.name}"],
                    "securityContext": {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True},
                    "volumeMounts": [{"name": "parent", "mountPath": "/parent"}],
                }
            ],
            "volumes": [{"name": "parent", "hostPath": {"path": str(folder.parent), "type": "Directory"}}],
        },
    }


def _name(item: Json) -> str:
    return cast(dict[str, str], item["metadata"])["name"]


def _is_ready(node: Json) -> bool:
    status = cast(Json, node.get("status") or {})
    conditions = cast(list[dict[str, str]], status.get("conditions") or [])
    return any(item["type"] == "Ready" and item["status"] == "True" for item in conditions)
