"""One job from its first sight to its end: gather a picture, decide, act, tell; again whenever something has changed.

Everything that it keeps can be had again from the cluster (the job, its agents by label, their logs), so an operator
that starts anew goes on where the last one stopped.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from datetime import UTC, datetime

from tracejob_api import labels
from tracejob_api.records import ProgramDiagnostic
from tracejob_api.request import PodTarget
from tracejob_operator.actions import Actor
from tracejob_operator.admission import review
from tracejob_operator.agent_entry import AgentEntry, adopt
from tracejob_operator.agents import has_ended
from tracejob_operator.client import Api, APIError
from tracejob_operator.find import Nodes, find_target
from tracejob_operator.informer import Informer
from tracejob_operator.kube import Pod
from tracejob_operator.logs import follow
from tracejob_operator.picture import Agent, Job, Picture
from tracejob_operator.reconcile import decide, traced_pods
from tracejob_operator.reporter import Reporter
from tracejob_operator.settings import Settings
from tracejob_operator.target import PodQuery, Problem, resolve

_LOG = logging.getLogger(__name__)
_TICK_SECONDS = 1.0
_COALESCE_SECONDS = 0.02
_RETRY_SECONDS = 2.0


class Controller:
    """`update` hands it the job's newest version; `run` returns when the job has finished."""

    def __init__(self, api: Api, *, settings: Settings, job: Job) -> None:
        self.job = job
        self._api = api
        self._settings = settings
        self._wake = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._agents: dict[str, AgentEntry] = {}
        self._known: dict[str, dict[str, PodTarget]] = {}
        self._problem: Problem | None = None
        self._diagnostics: tuple[ProgramDiagnostic, ...] = ()
        self._nodes: Nodes | None = None
        self._query: PodQuery | None = None
        self._pods: Informer[Pod] | None = None
        self._agent_pods: Informer[Pod] | None = None
        self._actor = Actor(api, settings=settings)
        self._reporter = Reporter(api, settings=settings, job=job)

    def update(self, job: Job) -> None:
        self.job = job
        self._wake.set()

    async def run(self) -> None:
        """Until every agent has ended and the result is written. Cancelled: leaves everything as it is."""
        try:
            await self._begin()
            while not await self._step():
                await self._pause()
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _begin(self) -> None:
        """Find the target and what is there of the job already."""
        refusal = review(self.job.spec)
        if refusal is not None:
            self._problem, self._diagnostics = refusal.problem, refusal.diagnostics
            return
        path = f"/api/v1/namespaces/{self._settings.namespace}/pods"
        query = {"labelSelector": f"{labels.LABEL_JOB_UID}={self.job.uid}"}
        self._agent_pods = Informer(self._api, path=path, type_=Pod, query=query, changed=self._wake.set)
        self._spawn(self._agent_pods.run())
        while True:
            try:
                found = await find_target(self._api, self.job)
                break
            except APIError as error:
                _LOG.warning("finding the target of %s: %s", self.job.name, error)
                await asyncio.sleep(_RETRY_SECONDS)
        if isinstance(found, PodQuery):
            self._query = found
            path = f"/api/v1/namespaces/{found.namespace}/pods"
            self._pods = Informer(self._api, path=path, type_=Pod, query=found.parameters(), changed=self._wake.set)
            self._spawn(self._pods.run())
            await self._pods.synced.wait()
        elif isinstance(found, Nodes):
            self._nodes = found
        await self._agent_pods.synced.wait()
        self._see_agents()
        if isinstance(found, Problem) and not self._agents:
            self._problem = found

    async def _step(self) -> bool:
        """Once around; true when the job has finished."""
        self._wake.clear()
        for action in decide(self._picture()):
            self._problem = await self._actor.act(action, job=self.job, agents=self._agents) or self._problem
        picture = self._picture()
        return await self._reporter.report(picture) and not decide(picture)

    async def _pause(self) -> None:
        try:
            # Not wait_for: in 3.11 it loses a cancellation that comes together with what it waits for.
            async with asyncio.timeout(_TICK_SECONDS):
                await self._wake.wait()
        except TimeoutError:
            return
        # Several events usually come together.
        await asyncio.sleep(_COALESCE_SECONDS)

    def _picture(self) -> Picture:
        now = datetime.now(UTC)
        self._see_agents()
        targets = self._resolve()
        for node, pods in targets.items():
            self._known.setdefault(node, {}).update({pod.uid: pod for pod in pods})
        agents: dict[str, Agent] = {node: entry.view(now) for node, entry in sorted(self._agents.items())}
        if self.job.spec.stop and not agents and self._problem is None:
            self._problem = self._actor.stopped_before_start()
        return Picture(
            job=self.job,
            now=now,
            targets=targets,
            known={node: tuple(pods.values()) for node, pods in self._known.items()},
            problem=self._problem,
            diagnostics=self._diagnostics,
            agents=agents,
        )

    def _resolve(self) -> dict[str, tuple[PodTarget, ...]]:
        """Pods by node that should be traced now. A problem counts only before there are agents."""
        if self._problem is not None:
            return {}
        if self._nodes is not None:
            return dict.fromkeys(self._nodes.names, ())
        if self._pods is None or self._query is None:
            return {}
        resolution = resolve(self.job.spec.target, self._pods.objects.values(), query=self._query)
        if resolution.problem is not None and not self._agents:
            self._problem = resolution.problem
        return traced_pods(self.job, resolution, known=self._known)

    def _see_agents(self) -> None:
        """Match agents with their pods, adopt those of an earlier life, follow the logs of those that run."""
        if self._agent_pods is None:
            return
        by_node = {
            pod.metadata.annotations.get(labels.ANNOTATION_NODE, ""): pod for pod in self._agent_pods.objects.values()
        }
        for node, pod in by_node.items():
            if node not in self._agents and (entry := adopt(pod)) is not None:
                self._agents[node] = entry
                self._known.setdefault(node, {}).update({target.uid: target for target in entry.request.targets})
        for node, entry in self._agents.items():
            entry.see(by_node.get(node))
            if entry.wants_follower() and entry.pod is not None:
                entry.follower = self._spawn(self._follow(entry, name=entry.pod.metadata.name))

    async def _follow(self, entry: AgentEntry, *, name: str) -> None:
        await follow(
            self._api,
            path=f"/api/v1/namespaces/{self._settings.namespace}/pods/{name}",
            log=entry.log,
            changed=self._wake.set,
            has_ended=lambda: has_ended(entry.pod),
        )

    def _spawn(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _LOG.error("a task of %s failed", self.job.name, exc_info=error)
