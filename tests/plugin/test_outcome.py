"""Exit statuses by what the operator wrote."""

from __future__ import annotations

import pytest

from kubectl_trace.exit_status import ExitStatus
from kubectl_trace.outcome import Outcome, attached, finished, outcome
from tracejob_api.status import Condition, ConditionStatus, Phase, TargetState, TargetStatus, TraceJobStatus


def condition(kind: str, status: ConditionStatus, reason: str, message: str = "") -> Condition:
    return Condition(kind, status, "2026-01-01T00:00:00Z", reason, message, 1)


@pytest.mark.parametrize(
    ("reason", "status"),
    [
        ("ProgramInvalid", ExitStatus.PROGRAM_ERROR),
        ("VerifierRefused", ExitStatus.PROGRAM_ERROR),
        ("TargetNotFound", ExitStatus.NO_TARGET),
        ("ContainerNotFound", ExitStatus.NO_TARGET),
        ("StartTimeout", ExitStatus.TIMED_OUT),
        ("ImageMissing", ExitStatus.TIMED_OUT),
        ("Stopped", ExitStatus.DONE),
        ("AgentRefused", ExitStatus.ERROR),
    ],
)
def test_a_failed_job_ends_with_the_status_of_its_reason(reason: str, status: ExitStatus) -> None:
    failed = TraceJobStatus(
        phase=Phase.FAILED, conditions=(condition("Failed", ConditionStatus.TRUE, reason, "because"),)
    )
    assert outcome(failed) == Outcome(status, "because")


def test_success_has_no_words() -> None:
    assert outcome(TraceJobStatus(phase=Phase.SUCCEEDED)) == Outcome(ExitStatus.DONE)


def test_some_targets_failed() -> None:
    row = TargetStatus(id="u", state=TargetState.FAILED, reason="AgentLost", message="the node is gone")
    partly = TraceJobStatus(phase=Phase.PARTIALLY_SUCCEEDED, target_statuses=(row,))
    assert outcome(partly) == Outcome(ExitStatus.SOME_TARGETS_FAILED, "the node is gone")


def test_attached_and_finished_are_read_from_the_status() -> None:
    running = TraceJobStatus(phase=Phase.RUNNING, conditions=(condition("Attached", ConditionStatus.TRUE, "Attached"),))
    assert attached(running)
    assert not finished(running)
    assert not attached(TraceJobStatus())
