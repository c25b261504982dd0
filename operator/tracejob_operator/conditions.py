"""The conditions of a job, from its picture; the phase, from the conditions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import assert_never

from tracejob_api.reasons import PROGRAM_REASONS, TARGET_REASONS, Reason
from tracejob_api.status import Condition, ConditionStatus, ConditionType, Phase
from tracejob_operator.agents import AgentState
from tracejob_operator.picture import Agent, Picture

MESSAGE_LIMIT = 1024
_PROGRAM = {reason.value for reason in PROGRAM_REASONS}
_ADMISSION = (Reason.UNKNOWN_TOOL, Reason.UNSUPPORTED, Reason.PROGRAM_TOO_LARGE)


class ResultsState(Enum):
    """Whether the ConfigMaps with the whole result are there."""

    PENDING = "Pending"
    NONE = "None"  # nothing was traced
    WRITTEN = "ResultsWritten"
    REFUSED = "ResultsRefused"  # the API server doesn't take them; the status has what there is


@dataclass(frozen=True, slots=True)
class _Said:
    """A condition without its times."""

    status: ConditionStatus
    reason: str
    message: str = ""


def conditions_of(picture: Picture, *, results: ResultsState) -> tuple[Condition, ...]:
    """All conditions that say something by now; unchanged ones keep their time."""
    previous = {item.type: item for item in picture.job.status.conditions}
    agents = picture.agents
    said: dict[ConditionType, _Said | None] = {
        ConditionType.ADMITTED: _admitted(picture),
        ConditionType.TARGETS_RESOLVED: _resolved(picture),
        ConditionType.COMPILED: _compiled(picture),
        ConditionType.ATTACHED: _attached(agents),
        ConditionType.RESULTS_READY: _results(results),
        **_ending(picture),
    }
    return tuple(
        _stamped(kind, item, previous=previous.get(kind.value), picture=picture)
        for kind, item in said.items()
        if item is not None
    )


def phase_of(conditions: Sequence[Condition], *, stopping: bool, running: bool) -> Phase:
    """running: an agent is attached. Everything else is in the conditions."""
    found = {item.type: item for item in conditions}

    def is_true(kind: ConditionType) -> bool:
        return kind.value in found and found[kind.value].status is ConditionStatus.TRUE

    if is_true(ConditionType.FAILED):
        return Phase.FAILED
    if is_true(ConditionType.COMPLETE):
        return Phase(found[ConditionType.COMPLETE.value].reason)
    if not is_true(ConditionType.TARGETS_RESOLVED):
        return Phase.PENDING
    if stopping:
        return Phase.STOPPING
    return Phase.RUNNING if running else Phase.COMPILING


def timestamp(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def failure_of(agents: Mapping[str, Agent]) -> tuple[str, str]:
    """The reason that most failed agents share, and what the first of them says."""
    failed = [agent for agent in agents.values() if agent.verdict.state is AgentState.FAILED]
    reason, _ = Counter(agent.verdict.reason for agent in failed).most_common(1)[0]
    first = next(agent for agent in failed if agent.verdict.reason == reason)
    where = f"{len(failed)} nodes, first {first.node}" if len(failed) > 1 else first.node
    return reason, f"{where}: {first.verdict.message}"


def _admitted(picture: Picture) -> _Said:
    problem = picture.problem
    if problem is not None and problem.reason in _ADMISSION:
        return _Said(ConditionStatus.FALSE, problem.reason.value, problem.message)
    return _true("Accepted")


def _resolved(picture: Picture) -> _Said | None:
    problem = picture.problem
    if problem is not None and problem.reason in TARGET_REASONS:
        return _Said(ConditionStatus.FALSE, problem.reason.value, problem.message)
    if not picture.known:
        return None
    pods = sum(len(found) for found in picture.known.values())
    nodes = len(picture.known)
    return _true("Resolved", f"{pods} pods on {nodes} nodes" if pods else f"{nodes} nodes")


def _compiled(picture: Picture) -> _Said | None:
    problem = picture.problem
    if problem is not None and problem.reason is Reason.PROGRAM_INVALID:
        return _Said(ConditionStatus.FALSE, problem.reason.value, problem.message)
    agents = picture.agents
    if any(_was_attached(agent) for agent in agents.values()):
        return _true("Compiled")
    if any(agent.verdict.reason in _PROGRAM for agent in agents.values()):
        return _Said(ConditionStatus.FALSE, *failure_of(agents))
    return None


def _attached(agents: Mapping[str, Agent]) -> _Said | None:
    if not agents:
        return None
    attached = sum(_was_attached(agent) for agent in agents.values())
    waiting = sum(not _was_attached(agent) and not agent.verdict.state.ended for agent in agents.values())
    message = f"{attached} of {len(agents)} nodes"
    if waiting or not attached:
        return _Said(ConditionStatus.FALSE, "Attaching" if waiting else "NotAttached", message)
    return _true("Attached", message)


def _ending(picture: Picture) -> dict[ConditionType, _Said | None]:
    """Complete and Failed: one of them, once the job has finished."""
    if not picture.finished():
        return {}
    agents = picture.agents.values()
    succeeded = sum(agent.verdict.state is AgentState.SUCCEEDED for agent in agents)
    if picture.problem is not None and not succeeded:
        problem = picture.problem
        return {ConditionType.FAILED: _true(problem.reason.value, problem.message)}
    if not succeeded:
        return {ConditionType.FAILED: _true(*failure_of(picture.agents))}
    if succeeded < len(agents):
        reason, message = failure_of(picture.agents)
        return {ConditionType.COMPLETE: _true(Phase.PARTIALLY_SUCCEEDED.value, f"{reason}: {message}")}
    return {ConditionType.COMPLETE: _true(Phase.SUCCEEDED.value)}


def _results(state: ResultsState) -> _Said | None:
    match state:
        case ResultsState.WRITTEN:
            return _true(state.value)
        case ResultsState.REFUSED:
            return _Said(ConditionStatus.FALSE, state.value, "the ConfigMaps with the whole result can't be written")
        case ResultsState.PENDING | ResultsState.NONE:
            return None
    assert_never(state)


def _was_attached(agent: Agent) -> bool:
    return agent.log.attached is not None or agent.verdict.state is AgentState.SUCCEEDED


def _true(reason: str, message: str = "") -> _Said:
    return _Said(ConditionStatus.TRUE, reason, message)


def _stamped(kind: ConditionType, said: _Said, *, previous: Condition | None, picture: Picture) -> Condition:
    if kind is ConditionType.ATTACHED and previous is not None and previous.status is ConditionStatus.TRUE:
        # Pods that appear later are attached later; the job has been attached all the same.
        said = _true(previous.reason, said.message)
    same = previous is not None and previous.status is said.status
    return Condition(
        type=kind.value,
        status=said.status,
        reason=said.reason or "Unknown",
        message=said.message[:MESSAGE_LIMIT],
        observed_generation=picture.job.generation,
        last_transition_time=previous.last_transition_time if same and previous else timestamp(picture.now),
    )
