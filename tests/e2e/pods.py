"""Manifests of the pods that the tests trace."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from e2e.system import WORKLOAD_IMAGE, Json


def container(name: str = "main", arguments: Sequence[str] = ("idle",), *, image: str = WORKLOAD_IMAGE) -> Json:
    return {
        "name": name,
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "args": list(arguments),
        "resources": {"requests": {"cpu": "5m", "memory": "8Mi"}},
    }


def pod(
    name: str,
    *,
    node: str = "",
    labels: Mapping[str, str] | None = None,
    containers: Sequence[Json] = (),
) -> Json:
    spec: Json = {
        "containers": list(containers) or [container()],
        "terminationGracePeriodSeconds": 1,
        "automountServiceAccountToken": False,
    }
    if node:
        # The scheduler places it, by name; nodeName would go past it.
        spec["nodeSelector"] = {"kubernetes.io/hostname": node}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": dict(labels or {})}, "spec": spec}


def deployment(name: str, *, replicas: int) -> Json:
    """Replicas spread over the nodes."""
    labels = {"app": name}
    spread = {
        "maxSkew": 1,
        "topologyKey": "kubernetes.io/hostname",
        "whenUnsatisfiable": "DoNotSchedule",
        "labelSelector": {"matchLabels": labels},
    }
    template = pod(name, labels=labels)
    template["spec"]["topologySpreadConstraints"] = [spread]
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": template["spec"]},
        },
    }


def trace_job(name: str, *, target: Json, program: str, duration: str = "60s", **spec: Json) -> Json:
    return {
        "apiVersion": "tracejob.dev/v1alpha1",
        "kind": "TraceJob",
        "metadata": {"name": name},
        "spec": {"target": target, "program": {"inline": program}, "duration": duration, **spec},
    }
