"""One agent as the controller keeps it: what happened to it so far, and the frozen view of it that decisions read."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from tracejob_api import labels
from tracejob_api.request import AgentRequest, RequestError, decode
from tracejob_operator.agent_log import AgentLog
from tracejob_operator.agents import Verdict, has_ended, has_started, judge
from tracejob_operator.kube import Pod
from tracejob_operator.picture import Agent


@dataclass(slots=True)
class AgentEntry:
    """request: what the pod was asked last. removed: its pod was deleted, the watch may not show it yet.

    ended: the verdict once it is final. follower: the task that reads its log.
    """

    request: AgentRequest
    created: datetime
    log: AgentLog = field(default_factory=AgentLog)
    pod: Pod | None = None
    was_seen: bool = False
    attached: datetime | None = None
    stop_sent: datetime | None = None
    cut_short: bool = False
    removed: bool = False
    ended: Verdict | None = None
    follower: asyncio.Task[None] | None = None

    def see(self, pod: Pod | None) -> None:
        """Take what the watch shows now."""
        self.pod = pod
        self.was_seen = self.was_seen or pod is not None
        if pod is not None and has_ended(pod) and not has_started(pod):
            self.log.ended = True  # its container never ran: there is no log to wait for

    def wants_follower(self) -> bool:
        return self.follower is None and self.pod is not None and has_started(self.pod)

    def view(self, now: datetime) -> Agent:
        """The agent as decisions see it; a final verdict stays."""
        if self.attached is None and self.log.attached is not None:
            self.attached = datetime.fromtimestamp(self.log.attached.t / 1e9, UTC)
        verdict = self.ended
        if verdict is None:
            timed_out = now > self.created + timedelta(seconds=self.request.start_timeout)
            verdict = judge(self.pod, self.log, was_seen=self.was_seen, timed_out=timed_out)
            if verdict.state.ended:
                self.ended = verdict
        return Agent(
            node=self.request.node,
            request=self.request,
            verdict=verdict,
            log=self.log,
            created=self.created,
            attached=self.attached,
            exists=self.pod is not None and not self.removed,
            stop_sent=self.stop_sent,
            cut_short=self.cut_short,
        )


def adopt(pod: Pod) -> AgentEntry | None:
    """The entry of an agent pod that an earlier life of the operator made; None when it can't be one."""
    text = pod.metadata.annotations.get(labels.ANNOTATION_REQUEST, "")
    try:
        request = decode(text)
    except RequestError:
        return None
    created = pod.metadata.creation_timestamp or datetime.now(UTC)
    entry = AgentEntry(request=request, created=created)
    if request.stop:
        entry.stop_sent = datetime.now(UTC)
    return entry
