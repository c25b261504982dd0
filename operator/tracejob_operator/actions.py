"""Carry out what `reconcile` decided: create, steer and remove agent pods."""

from __future__ import annotations

import logging
from collections.abc import MutableMapping
from datetime import UTC, datetime
from typing import assert_never

from tracejob_api import labels
from tracejob_api.reasons import Reason
from tracejob_api.request import AgentRequest, RequestTooLarge, encode
from tracejob_api.spec import ClusterAgentSpec
from tracejob_operator.agent_entry import AgentEntry
from tracejob_operator.agent_pod import AgentOptions, agent_name, agent_pod
from tracejob_operator.agents import AgentState, Verdict
from tracejob_operator.client import (
    Api,
    APIConflictError,
    APIError,
    APIForbiddenError,
    APIInvalidError,
    APINotFoundError,
)
from tracejob_operator.kube import Pod
from tracejob_operator.picture import Job
from tracejob_operator.reconcile import Action, CreateAgent, CutShort, RemoveAgent, UpdateAgent
from tracejob_operator.settings import Settings
from tracejob_operator.target import Problem

_LOG = logging.getLogger(__name__)
CUT_SHORT_SECONDS = 1


class Actor:
    """Actions change the cluster and the agents' entries. A failed one is tried again with the next step."""

    def __init__(self, api: Api, *, settings: Settings) -> None:
        self._api = api
        self._settings = settings

    @staticmethod
    def stopped_before_start() -> Problem:
        return Problem(Reason.STOPPED, "stopped before any agent was started")

    async def act(self, action: Action, *, job: Job, agents: MutableMapping[str, AgentEntry]) -> Problem | None:
        """A problem is what the whole job fails with."""
        try:
            match action:
                case CreateAgent(request=request):
                    return await self._create(request, job=job, agents=agents)
                case UpdateAgent(node=node, request=request):
                    return await self._update(agents[node], request, job=job)
                case CutShort(node=node):
                    entry = agents[node]
                    await self._api.patch(self._path(job, node), {"spec": {"activeDeadlineSeconds": CUT_SHORT_SECONDS}})
                    entry.cut_short = True
                case RemoveAgent(node=node, reason=reason, message=message):
                    await self._api.delete(self._path(job, node), grace_seconds=0)
                    agents[node].removed = True
                    agents[node].ended = Verdict(AgentState.FAILED, reason, message)
                case _:
                    assert_never(action)
        except APINotFoundError:
            _LOG.debug("%s: the pod is gone already", action)
        except APIError as error:
            _LOG.warning("job %s: %s: %s", job.name, type(action).__name__, error)
        return None

    async def _create(
        self, request: AgentRequest, *, job: Job, agents: MutableMapping[str, AgentEntry]
    ) -> Problem | None:
        entry = AgentEntry(request=request, created=datetime.now(UTC))
        try:
            body = agent_pod(request, settings=self._settings, options=_options(job))
            await self._api.create(f"/api/v1/namespaces/{self._settings.namespace}/pods", body, Pod)
        except RequestTooLarge as error:
            return Problem(Reason.PROGRAM_TOO_LARGE, f"program, arguments and targets of node {request.node}: {error}")
        except APIConflictError:
            pass  # made a moment ago; the watch will show it
        except (APIForbiddenError, APIInvalidError) as error:
            # Trying again wouldn't help: a policy or a quota of the system namespace is against it.
            entry.ended = Verdict(AgentState.FAILED, Reason.AGENT_REFUSED.value, f"the agent's pod: {error}")
        agents[request.node] = entry
        return None

    async def _update(self, entry: AgentEntry, request: AgentRequest, *, job: Job) -> Problem | None:
        try:
            text = encode(request)
        except RequestTooLarge as error:
            return Problem(Reason.PROGRAM_TOO_LARGE, f"targets of node {request.node}: {error}")
        await self._api.patch(
            self._path(job, request.node), {"metadata": {"annotations": {labels.ANNOTATION_REQUEST: text}}}
        )
        entry.request = request
        if request.stop:
            entry.stop_sent = datetime.now(UTC)
        return None

    def _path(self, job: Job, node: str) -> str:
        name = agent_name(job_name=job.name, job_uid=job.uid, node=node)
        return f"/api/v1/namespaces/{self._settings.namespace}/pods/{name}"


def _options(job: Job) -> AgentOptions:
    agent = job.spec.agent
    if agent is None:
        return AgentOptions()
    if isinstance(agent, ClusterAgentSpec):
        return AgentOptions(
            resources=agent.resources,
            tolerations=agent.tolerations,
            image_pull_secrets=agent.image_pull_secrets,
            priority_class_name=agent.priority_class_name,
        )
    return AgentOptions(resources=agent.resources, tolerations=agent.tolerations)
