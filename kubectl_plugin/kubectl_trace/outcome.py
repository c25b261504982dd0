"""What a job's status means to who waits for it: has it ended, how, which exit status, in which words. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from kubectl_trace.exit_status import ExitStatus
from tracejob_api.reasons import PROGRAM_REASONS, START_REASONS, TARGET_REASONS, Reason
from tracejob_api.status import Condition, ConditionStatus, ConditionType, Phase, TargetState, TraceJobStatus

_PROGRAM = {reason.value for reason in PROGRAM_REASONS}
_TARGET = {reason.value for reason in TARGET_REASONS}
_START = {reason.value for reason in START_REASONS}


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a job ended."""

    status: ExitStatus
    message: str = ""  # empty when all went well


def finished(status: TraceJobStatus) -> bool:
    return status.phase is not None and status.phase.finished


def attached(status: TraceJobStatus) -> bool:
    return _is(status, ConditionType.ATTACHED, ConditionStatus.TRUE)


def condition(status: TraceJobStatus, wanted: ConditionType) -> Condition | None:
    return next((item for item in status.conditions if item.type == wanted.value), None)


def outcome(status: TraceJobStatus) -> Outcome:
    """The outcome of a finished job."""
    message = _why(status)
    match status.phase:
        case Phase.SUCCEEDED:
            return Outcome(ExitStatus.DONE)
        case Phase.PARTIALLY_SUCCEEDED:
            return Outcome(ExitStatus.SOME_TARGETS_FAILED, message)
        case _:
            return Outcome(_status_of(_failed_reason(status), status), message)


def _status_of(reason: str, status: TraceJobStatus) -> ExitStatus:
    """The exit status of a failed job, by the group of its reason."""
    if reason in _PROGRAM or any(item.severity == "error" for item in status.diagnostics):
        return ExitStatus.PROGRAM_ERROR
    if reason in _TARGET:
        return ExitStatus.NO_TARGET
    if reason in _START:
        return ExitStatus.TIMED_OUT
    if reason == Reason.STOPPED.value:
        return ExitStatus.DONE  # before anything was attached, because the user said so
    if any(item.state is TargetState.FAILED for item in status.target_statuses):
        return ExitStatus.SOME_TARGETS_FAILED
    return ExitStatus.ERROR


def _why(status: TraceJobStatus) -> str:
    """The most telling sentence that the operator wrote."""
    for kind in (ConditionType.FAILED, ConditionType.TARGETS_RESOLVED, ConditionType.COMPILED, ConditionType.ATTACHED):
        found = condition(status, kind)
        negative = ConditionStatus.TRUE if kind is ConditionType.FAILED else ConditionStatus.FALSE
        if found is not None and found.status is negative and found.message:
            return found.message
    failures = [item.message or item.reason for item in status.target_statuses if item.state is TargetState.FAILED]
    return next((text for text in failures if text), "")


def _failed_reason(status: TraceJobStatus) -> str:
    found = condition(status, ConditionType.FAILED)
    return found.reason if found is not None and found.status is ConditionStatus.TRUE else ""


def _is(status: TraceJobStatus, kind: ConditionType, wanted: ConditionStatus) -> bool:
    found = condition(status, kind)
    return found is not None and found.status is wanted
