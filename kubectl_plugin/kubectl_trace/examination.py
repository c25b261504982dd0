"""What `doctor` looks at in a cluster, one finding after the other. Requests only; nothing is created."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import cast

from kubectl_trace.client import Api, ApiError, Forbidden, Json, NotFound, OperatorMissing
from kubectl_trace.jobs import collection_path
from kubectl_trace.operator_settings import OPERATOR, OPERATOR_PATH, settings_of
from tracejob_api.labels import CLUSTER_PLURAL, GROUP, SYSTEM_NAMESPACE, TRACEJOB_PLURAL

OLDEST = (1, 30)


class Verdict(Enum):
    GOOD = "ok"
    SOME = "note"  # some things won't work, or can't be seen
    BAD = "bad"  # nothing will


@dataclass(frozen=True, slots=True)
class Finding:
    verdict: Verdict
    text: str
    hint: str = ""


def examine(api: Api) -> Iterator[Finding]:
    """All findings; an API server that can't be reached raises its own error."""
    yield _version(api)
    yield _resource(api)
    image = ""
    try:
        deployment = api.request("GET", OPERATOR_PATH)
    except NotFound:
        yield Finding(Verdict.BAD, f"no operator in {SYSTEM_NAMESPACE}", "kubectl trace install")
    except Forbidden:
        yield Finding(Verdict.SOME, f"whether the operator runs isn't yours to see ({SYSTEM_NAMESPACE})")
    else:
        yield _operator(deployment)
        image = settings_of(deployment).get("TRACEJOB_AGENT_IMAGE", "")
    yield from _rights(api)
    yield from _nodes(api, image=image)


def _version(api: Api) -> Finding:
    found = api.request("GET", "/version")
    version = str(found.get("gitVersion"))
    numbers = tuple(int(part) for part in re.findall(r"\d+", version)[:2])
    if numbers < OLDEST:
        return Finding(Verdict.BAD, f"Kubernetes {version}", "1.30 or newer is needed (ValidatingAdmissionPolicy)")
    return Finding(Verdict.GOOD, f"Kubernetes {version} at {api.host}")


def _resource(api: Api) -> Finding:
    try:
        api.request("GET", collection_path(api.namespace), query={"limit": 1})
    except OperatorMissing as error:
        return Finding(Verdict.BAD, error.message, error.hint)
    except Forbidden:
        return Finding(
            Verdict.SOME, f"jobs of namespace {api.namespace} aren't yours to see", "ask for the role `view`"
        )
    return Finding(Verdict.GOOD, f"jobs of namespace {api.namespace} can be listed")


def _operator(deployment: Json) -> Finding:
    status = cast(dict[str, int], deployment.get("status") or {})
    if status.get("availableReplicas", 0):
        return Finding(Verdict.GOOD, f"the operator runs in {SYSTEM_NAMESPACE}")
    return Finding(
        Verdict.BAD, "the operator isn't ready", f"kubectl -n {SYSTEM_NAMESPACE} describe pods; logs deploy/{OPERATOR}"
    )


def _rights(api: Api) -> Iterator[Finding]:
    inside = f"in namespace {api.namespace}"
    may_create = api.may("create", TRACEJOB_PLURAL, group=GROUP, namespace=api.namespace)
    may_exec = api.may("create", "pods", subresource="exec", namespace=api.namespace)
    if may_create and may_exec:
        yield Finding(Verdict.GOOD, f"you may trace pods {inside}")
    else:
        lacking = "create tracejobs" if not may_create else "create pods/exec"
        yield Finding(
            Verdict.SOME, f"you may not trace pods {inside}: no right to {lacking}", "ask for the role `edit`"
        )
    if api.may("create", CLUSTER_PLURAL, group=GROUP):
        yield Finding(Verdict.GOOD, "you may trace nodes and use --unsafe")
    else:
        yield Finding(Verdict.SOME, "you may not trace nodes: no right to create clustertracejobs")
    if api.may("get", "pods", subresource="log", namespace=SYSTEM_NAMESPACE):
        yield Finding(Verdict.GOOD, "you read output as it is printed, from the agents' logs")
    else:
        yield Finding(Verdict.SOME, "you read output from the job's status, every --interval")


def _nodes(api: Api, *, image: str) -> Iterator[Finding]:
    try:
        listed = api.request("GET", "/api/v1/nodes")
    except ApiError:
        yield Finding(Verdict.SOME, "the nodes aren't yours to see")
        return
    for node in cast(list[Json], listed.get("items") or []):
        yield _node(node, image=image)


def _node(node: Json, *, image: str) -> Finding:
    name = cast(dict[str, str], node["metadata"])["name"]
    status = cast(dict[str, Json], node["status"])
    info = cast(dict[str, str], status["nodeInfo"])
    words = f"node {name}: kernel {info['kernelVersion']}, {info['architecture']}, {info['containerRuntimeVersion']}"
    if info["operatingSystem"] != "linux" or info["architecture"] != "amd64":
        return Finding(Verdict.SOME, f"{words}: can't be traced", "agents run on Linux, amd64")
    images = cast(list[dict[str, list[str]]], status.get("images") or [])
    present = any(image in name or name.endswith("/" + image) for item in images for name in item.get("names") or [])
    if image and not present:
        return Finding(Verdict.GOOD, f"{words}; the agent's image comes with the first job ({image})")
    return Finding(Verdict.GOOD, words + ("; the agent's image is there" if image else ""))
