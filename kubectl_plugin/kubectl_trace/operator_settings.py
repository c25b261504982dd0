"""What the chart told the operator, read back from its Deployment: the agents' image, their folder on the node."""

from __future__ import annotations

from typing import cast

from kubectl_trace.client import Json
from tracejob_api.labels import SYSTEM_NAMESPACE

OPERATOR = "tracejob-operator"
OPERATOR_PATH = f"/apis/apps/v1/namespaces/{SYSTEM_NAMESPACE}/deployments/{OPERATOR}"


def settings_of(deployment: Json) -> dict[str, str]:
    """The environment of its containers: TRACEJOB_AGENT_IMAGE and so on."""
    spec = cast(dict[str, dict[str, dict[str, list[Json]]]], deployment["spec"])
    return {
        variable["name"]: variable.get("value", "")
        for container in spec["template"]["spec"]["containers"]
        for variable in cast(list[dict[str, str]], container.get("env") or [])
    }
