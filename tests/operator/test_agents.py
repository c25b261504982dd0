"""An agent is judged by its records first, then by its exit code, then by its pod."""

from __future__ import annotations

import pytest

import job_builders as make
from tracejob_api.records import AnyRecord, Digest, EndReason, Failure, encode_digest, encode_record
from tracejob_operator.agent_log import OUTPUT_BYTES_KEPT, OUTPUT_KEPT, AgentLog
from tracejob_operator.agents import AgentState, judge
from tracejob_operator.kube import ContainerState, Pod


def _pod(state: ContainerState | None = None, *, phase: str = "Running", reason: str = "") -> Pod:
    return make.pod("agent", phase=phase, reason=reason, containers={} if state is None else {"agent": state})


DIGEST = encode_digest(Digest(reason=EndReason.FAILED, failure=Failure.ATTACH_FAILED, message="no such probe")).decode()
WELL = encode_digest(Digest(reason=EndReason.DURATION)).decode()
SILENT = AgentLog()
ENDED = AgentLog(ended=True)


@pytest.mark.parametrize(
    ("pod", "log", "state", "reason"),
    [
        (None, make.log(make.attached(), make.result()), AgentState.SUCCEEDED, "duration"),
        (
            _pod(make.terminated(0), phase="Failed", reason="DeadlineExceeded"),
            make.log(make.result(reason=EndReason.STOPPED)),
            AgentState.SUCCEEDED,
            "stopped",
        ),
        (
            _pod(make.terminated(2)),
            make.log(make.result(reason=EndReason.FAILED, failure=Failure.VERIFIER_REFUSED)),
            AgentState.FAILED,
            "VerifierRefused",
        ),
        (_pod(make.terminated(2)), make.log(make.diagnostics("bad"), ended=True), AgentState.FAILED, "ProgramInvalid"),
        (_pod(make.terminated(2)), ENDED, AgentState.FAILED, "ProgramInvalid"),
        (_pod(make.terminated(3)), ENDED, AgentState.FAILED, "TargetGone"),
        (_pod(make.terminated(0)), ENDED, AgentState.FAILED, "ResultLost"),
        (_pod(make.terminated(0, message=WELL)), ENDED, AgentState.FAILED, "ResultLost"),
        (_pod(make.terminated(1, message=DIGEST)), ENDED, AgentState.FAILED, "AttachFailed"),
        (_pod(make.terminated(137, reason="OOMKilled")), ENDED, AgentState.FAILED, "AgentFailed"),
        (_pod(phase="Failed", reason="Evicted"), ENDED, AgentState.FAILED, "Evicted"),
        (_pod(make.terminated(1)), SILENT, AgentState.STARTING, ""),
        (_pod(make.RUNNING), SILENT, AgentState.STARTING, "Starting"),
        (_pod(make.RUNNING), make.log(make.attached()), AgentState.ATTACHED, ""),
        (_pod(make.waiting("ImagePullBackOff"), phase="Pending"), SILENT, AgentState.PENDING, "ImageMissing"),
        (_pod(make.waiting("ErrImageNeverPull"), phase="Pending"), SILENT, AgentState.FAILED, "ImageMissing"),
        (_pod(phase="Pending"), SILENT, AgentState.PENDING, "Creating"),
    ],
)
def test_the_state_and_its_reason(pod: Pod | None, log: AgentLog, state: AgentState, reason: str) -> None:
    verdict = judge(pod, log, was_seen=True, timed_out=False)
    assert (verdict.state, verdict.reason) == (state, reason)


def test_a_pod_that_somebody_deleted_is_lost_one_that_is_not_there_yet_is_awaited() -> None:
    assert judge(None, SILENT, was_seen=True, timed_out=False).reason == "AgentLost"
    assert judge(None, SILENT, was_seen=False, timed_out=False).state is AgentState.PENDING


@pytest.mark.parametrize(
    ("pod", "reason"),
    [
        (_pod(make.waiting("ImagePullBackOff", "not found"), phase="Pending"), "ImageMissing"),
        (_pod(make.RUNNING), "StartTimeout"),
        (None, "StartTimeout"),
    ],
)
def test_over_its_start_timeout_it_failed_for_what_it_waited_for(pod: Pod | None, reason: str) -> None:
    verdict = judge(pod, SILENT, was_seen=pod is not None, timed_out=True)
    assert (verdict.state, verdict.reason) == (AgentState.FAILED, reason)


def test_an_attached_agent_has_no_start_timeout() -> None:
    verdict = judge(_pod(make.RUNNING), make.log(make.attached()), was_seen=True, timed_out=True)
    assert verdict.state is AgentState.ATTACHED


def test_a_crash_is_told_with_what_the_agent_said() -> None:
    log = make.log()
    log.feed(b"Traceback (most recent call last):")
    log.feed(b"ValueError: oops")
    log.ended = True
    verdict = judge(_pod(make.terminated(1)), log, was_seen=True, timed_out=False)
    assert "exit code 1" in verdict.message
    assert "ValueError: oops" in verdict.message


def test_a_log_that_is_read_again_changes_nothing_and_gaps_are_counted() -> None:
    log = AgentLog()
    records: list[AnyRecord] = [make.attached(0), make.output("a", seq=1), make.output("b", seq=4)]
    for record in [*records, *records]:
        log.feed(encode_record(record))
    assert [record.text for record in log.output] == ["a", "b"]
    assert (log.events, log.missed, log.next_seq) == (2, 2, 5)


def test_only_the_newest_output_is_kept_by_number_and_by_size() -> None:
    log = AgentLog()
    for seq in range(OUTPUT_KEPT + 5):
        log.feed(encode_record(make.output("x", seq=seq)))
    assert (len(log.output), log.output[0].seq, log.events) == (OUTPUT_KEPT, 5, OUTPUT_KEPT + 5)
    log.feed(encode_record(make.output("y" * (OUTPUT_BYTES_KEPT - 1), seq=OUTPUT_KEPT + 5)))
    assert (len(log.output), log.output_size) == (2, OUTPUT_BYTES_KEPT)
