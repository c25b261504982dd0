"""What the chart decides about the operator and its agents, as environment variables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeVar

import msgspec

from tracejob_api import labels
from tracejob_api.spec import ResourceRequirements, Toleration

T = TypeVar("T")


class SettingsError(Exception):
    """An environment variable that can't be read; the text names it."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Defaults are what the chart's values.yaml has."""

    namespace: str = labels.SYSTEM_NAMESPACE
    agent_image: str = "tracejob/node-agent:dev"
    agent_pull_policy: str = "IfNotPresent"
    agent_pull_secrets: tuple[str, ...] = ()
    agent_priority_class: str = ""
    agent_service_account: str = "tracejob-agent"
    agent_cache_path: str = labels.CACHE_DIRECTORY  # on the node; "": nothing is kept there
    agent_resources: ResourceRequirements = field(
        default_factory=lambda: ResourceRequirements(
            requests={"cpu": "10m", "memory": "64Mi"}, limits={"memory": "1Gi"}
        )
    )
    agent_tolerations: tuple[Toleration, ...] = (Toleration(operator="Exists"),)

    @staticmethod
    def from_environment(environment: Mapping[str, str]) -> Settings:
        """Unset variables keep their defaults; SettingsError for what can't be read."""
        default = Settings()
        get = environment.get
        return Settings(
            namespace=get("TRACEJOB_NAMESPACE", default.namespace),
            agent_image=get("TRACEJOB_AGENT_IMAGE", default.agent_image),
            agent_pull_policy=get("TRACEJOB_AGENT_PULL_POLICY", default.agent_pull_policy),
            agent_pull_secrets=tuple(name for name in get("TRACEJOB_AGENT_PULL_SECRETS", "").split(",") if name),
            agent_priority_class=get("TRACEJOB_AGENT_PRIORITY_CLASS", default.agent_priority_class),
            agent_service_account=get("TRACEJOB_AGENT_SERVICE_ACCOUNT", default.agent_service_account),
            agent_cache_path=get("TRACEJOB_AGENT_CACHE_PATH", default.agent_cache_path),
            agent_resources=_json(
                environment, "TRACEJOB_AGENT_RESOURCES", type_=ResourceRequirements, default=default.agent_resources
            ),
            agent_tolerations=_json(
                environment,
                "TRACEJOB_AGENT_TOLERATIONS",
                type_=tuple[Toleration, ...],
                default=default.agent_tolerations,
            ),
        )


def _json(environment: Mapping[str, str], name: str, *, type_: type[T], default: T) -> T:
    text = environment.get(name, "")
    if not text:
        return default
    try:
        return msgspec.json.decode(text, type=type_)
    except msgspec.MsgspecError as error:
        raise SettingsError(f"{name}: {error}") from error
