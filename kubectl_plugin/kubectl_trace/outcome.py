"""What a job's status means to who waits for it: has it ended, how, which exit status, in which words. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from kubectl_trace.exit_status import ExitStatus
from tracejob_api.records import Failure
from tracejob_api.status import Condition, ConditionStatus, ConditionType, Phase, TargetState, TraceJobStatus


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
    if _assertion_failed(status):
        return Outcome(ExitStatus.ASSERTION_FAILED, message)
    if status.phase is Phase.SUCCEEDED:
        return Outcome(ExitStatus.DONE)
    if status.phase is Phase.PARTIALLY_SUCCEEDED:
        return Outcome(ExitStatus.SOME_TARGETS_FAILED, message)
    reasons = {item.reason for item in status.target_statuses if item.state is TargetState.FAILED}
    if _is(status, ConditionType.ADMITTED, ConditionStatus.FALSE):
        return Outcome(ExitStatus.ERROR, message)
    if any(item.severity == "error" for item in status.diagnostics) or _is(
        status, ConditionType.COMPILED, ConditionStatus.FALSE
    ):
        return Outcome(ExitStatus.PROGRAM_ERROR, message)
    if reasons & {Failure.PROGRAM_INVALID.value, Failure.VERIFIER_REFUSED.value}:
        return Outcome(ExitStatus.PROGRAM_ERROR, message)
    if _is(status, ConditionType.TARGETS_RESOLVED, ConditionStatus.FALSE) or reasons == {Failure.TARGET_GONE.value}:
        return Outcome(ExitStatus.NO_TARGET, message)
    if Failure.START_TIMEOUT.value in reasons or _failed_reason(status) == Failure.START_TIMEOUT.value:
        return Outcome(ExitStatus.TIMED_OUT, message)
    return Outcome(ExitStatus.SOME_TARGETS_FAILED if reasons else ExitStatus.ERROR, message)


def _why(status: TraceJobStatus) -> str:
    """The most telling sentence that the operator wrote."""
    for kind in (ConditionType.FAILED, ConditionType.TARGETS_RESOLVED, ConditionType.COMPILED, ConditionType.ATTACHED):
        found = condition(status, kind)
        negative = ConditionStatus.TRUE if kind is ConditionType.FAILED else ConditionStatus.FALSE
        if found is not None and found.status is negative and found.message:
            return found.message
    failures = [item.message or item.reason for item in status.target_statuses if item.state is TargetState.FAILED]
    return next((text for text in failures if text), "")


def _assertion_failed(status: TraceJobStatus) -> bool:
    return _failed_reason(status).startswith("Assertion")


def _failed_reason(status: TraceJobStatus) -> str:
    found = condition(status, ConditionType.FAILED)
    return found.reason if found is not None and found.status is ConditionStatus.TRUE else ""


def _is(status: TraceJobStatus, kind: ConditionType, wanted: ConditionStatus) -> bool:
    found = condition(status, kind)
    return found is not None and found.status is wanted
