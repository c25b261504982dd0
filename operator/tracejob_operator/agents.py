"""How one agent is doing: its pod's state and its log, judged. Records are believed first, then the exit code, then
the pod's phase (a stopped pod is Failed/DeadlineExceeded although all went well).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from tracejob_api.labels import AGENT_CONTAINER, AgentExit
from tracejob_api.reasons import Reason
from tracejob_api.records import EndReason, RecordError, Result, decode_digest
from tracejob_operator.agent_log import AgentLog
from tracejob_operator.kube import ContainerState, Pod

_IMAGE_TROUBLE = {"ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "InvalidImageName", "ImageInspectError"}
_HOPELESS = {"ErrImageNeverPull", "InvalidImageName"}


class AgentState(Enum):
    """Each state comes after the ones above it, some may be skipped."""

    PENDING = "Pending"  # not scheduled, or its image is being pulled
    STARTING = "Starting"  # compiles and attaches
    ATTACHED = "Attached"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"

    @property
    def ended(self) -> bool:
        return self in (AgentState.SUCCEEDED, AgentState.FAILED)


@dataclass(frozen=True, slots=True)
class Verdict:
    """state, and for a failure (or what a pending one waits for) the reason and its explanation."""

    state: AgentState
    reason: str = ""
    message: str = ""


def judge(pod: Pod | None, log: AgentLog, *, was_seen: bool, timed_out: bool) -> Verdict:
    """The agent's state. pod None: there is none now; was_seen: there was one. timed_out: startTimeout is over."""
    if log.result is not None:
        return _of_result(log.result)
    if pod is None:
        if was_seen:
            return Verdict(AgentState.FAILED, Reason.AGENT_LOST.value, "the agent's pod was deleted")
        return _or_timeout(Verdict(AgentState.PENDING, "Creating", "the agent's pod isn't there yet"), timed_out)
    if _has_ended(pod):
        # The log is read to its end first: the result may still be on its way.
        return _of_end(pod, log) if log.ended else Verdict(AgentState.ATTACHED if log.attached else AgentState.STARTING)
    if log.attached is not None:
        return Verdict(AgentState.ATTACHED)
    return _or_timeout(_waiting(pod), timed_out)


def container_state(pod: Pod) -> ContainerState:
    return next(
        (item.state for item in pod.status.container_statuses if item.name == AGENT_CONTAINER), ContainerState()
    )


def has_started(pod: Pod) -> bool:
    """Whether there is a log to read."""
    state = container_state(pod)
    return state.running is not None or state.terminated is not None


def _has_ended(pod: Pod) -> bool:
    return container_state(pod).terminated is not None or pod.status.phase in ("Succeeded", "Failed")


def has_ended(pod: Pod | None) -> bool:
    return pod is None or _has_ended(pod)


def _of_result(result: Result) -> Verdict:
    if result.reason is EndReason.FAILED:
        reason = Reason.INTERNAL_ERROR.value if result.failure is None else result.failure.value
        return Verdict(AgentState.FAILED, reason, result.message)
    return Verdict(AgentState.SUCCEEDED, result.reason.value, result.message)


def _of_end(pod: Pod, log: AgentLog) -> Verdict:
    """An agent that ended without a result record."""
    errors = [item.message for item in log.diagnostics if item.severity == "error"]
    if errors:
        return Verdict(AgentState.FAILED, Reason.PROGRAM_INVALID.value, "; ".join(errors))
    ended = container_state(pod).terminated
    if ended is None:
        reason = pod.status.reason or Reason.AGENT_FAILED.value
        return Verdict(AgentState.FAILED, reason, pod.status.message or "the agent's pod ended before it ran")
    try:
        digest = decode_digest(ended.message)
    except RecordError:
        digest = None
    if digest is not None and digest.failure is not None:
        return Verdict(AgentState.FAILED, digest.failure.value, digest.message)
    if digest is not None or ended.exit_code == AgentExit.DELIVERED:
        return Verdict(AgentState.FAILED, Reason.RESULT_LOST.value, "the agent ended well, but its log has no result")
    match ended.exit_code:
        case AgentExit.PROGRAM_ERROR:
            return Verdict(AgentState.FAILED, Reason.PROGRAM_INVALID.value, "the program can't run on this node")
        case AgentExit.TARGET_GONE:
            return Verdict(AgentState.FAILED, Reason.TARGET_GONE.value, "the target ended before it could be traced")
    said = ended.message or "\n".join(log.strange)
    why = f" ({ended.reason})" if ended.reason and ended.reason != "Error" else ""
    message = f"the agent ended with exit code {ended.exit_code}{why}{': ' if said else ''}{said[-1000:]}"
    return Verdict(AgentState.FAILED, Reason.AGENT_FAILED.value, message)


def _waiting(pod: Pod) -> Verdict:
    state = container_state(pod)
    if state.running is not None:
        return Verdict(AgentState.STARTING, "Starting", "the agent compiles and attaches")
    if state.waiting is not None and state.waiting.reason in _IMAGE_TROUBLE:
        hopeless = state.waiting.reason in _HOPELESS
        message = f"the agent's image can't be had on the node ({state.waiting.reason}): {state.waiting.message}"
        return Verdict(AgentState.FAILED if hopeless else AgentState.PENDING, Reason.IMAGE_MISSING.value, message)
    for condition in pod.status.conditions:
        if condition.type == "PodScheduled" and condition.status == "False":
            message = f"the agent's pod can't be scheduled: {condition.message}"
            return Verdict(AgentState.PENDING, Reason.UNSCHEDULABLE.value, message)
    if state.waiting is not None and state.waiting.message:
        return Verdict(AgentState.PENDING, state.waiting.reason, state.waiting.message)
    return Verdict(AgentState.PENDING, "Creating", "the agent's pod is being started")


def _or_timeout(verdict: Verdict, timed_out: bool) -> Verdict:
    """What was waited for is the reason, where it says more than that time is over."""
    if not timed_out or verdict.state.ended:
        return verdict
    known = {Reason.IMAGE_MISSING.value, Reason.UNSCHEDULABLE.value}
    reason = verdict.reason if verdict.reason in known else Reason.START_TIMEOUT.value
    return Verdict(AgentState.FAILED, reason, f"not attached within startTimeout: {verdict.message}")
