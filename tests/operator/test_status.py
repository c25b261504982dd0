"""The status tells what there is, stays small, and counts what it leaves out."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import job_builders as make
from tracejob_api.maps import MapEntry, MapKind, MapSnapshot
from tracejob_api.reasons import Reason
from tracejob_api.records import Losses
from tracejob_api.spec import Program, Target, TraceJobSpec
from tracejob_api.status import STATUS_LIMIT, Condition, ConditionStatus, Phase, TargetState, TraceJobStatus
from tracejob_operator.agents import AgentState
from tracejob_operator.conditions import ResultsState
from tracejob_operator.picture import Agent, Picture
from tracejob_operator.status import digest_of, status_of
from tracejob_operator.target import Problem

A, B = make.target("a"), make.target("b")
DONE = make.log(make.attached(), make.result(), ended=True)


def _status(
    picture: Picture, *, maps: Sequence[MapSnapshot] = (), results: ResultsState = ResultsState.PENDING
) -> TraceJobStatus:
    return status_of(picture, maps=maps, refs=(), results=results)


def _conditions(status: TraceJobStatus) -> dict[str, tuple[bool, str]]:
    return {item.type: (item.status is ConditionStatus.TRUE, item.reason) for item in status.conditions}


@pytest.mark.parametrize(
    ("picture", "phase", "conditions"),
    [
        (make.picture(), Phase.PENDING, {"Admitted": (True, "Accepted")}),
        (
            make.picture(targets={"n1": (A,)}),
            Phase.COMPILING,
            {"Admitted": (True, "Accepted"), "TargetsResolved": (True, "Resolved")},
        ),
        (
            make.picture(make.agent("n1"), make.agent("n2", AgentState.STARTING)),
            Phase.RUNNING,
            {"Compiled": (True, "Compiled"), "Attached": (False, "Attaching")},
        ),
        (
            make.picture(make.agent("n1", AgentState.SUCCEEDED), make.agent("n2", AgentState.SUCCEEDED)),
            Phase.SUCCEEDED,
            {"Attached": (True, "Attached"), "Complete": (True, "Succeeded")},
        ),
        (
            make.picture(
                make.agent("n1", AgentState.SUCCEEDED),
                make.agent("n2", AgentState.FAILED, reason="ImageMissing", said=make.log()),
            ),
            Phase.PARTIALLY_SUCCEEDED,
            {"Complete": (True, "PartiallySucceeded")},
        ),
        (
            make.picture(
                make.agent("n1", AgentState.FAILED, reason="ProgramInvalid", said=make.log(make.diagnostics("bad"))),
            ),
            Phase.FAILED,
            {"Compiled": (False, "ProgramInvalid"), "Failed": (True, "ProgramInvalid")},
        ),
        (
            make.picture(problem=Problem(Reason.TARGET_NOT_FOUND, "no such pod")),
            Phase.FAILED,
            {"TargetsResolved": (False, "TargetNotFound"), "Failed": (True, "TargetNotFound")},
        ),
        (
            make.picture(problem=Problem(Reason.UNKNOWN_TOOL, "no such tool")),
            Phase.FAILED,
            {"Admitted": (False, "UnknownTool"), "Failed": (True, "UnknownTool")},
        ),
    ],
    ids=["new", "resolved", "attaching", "succeeded", "partly", "bad program", "no target", "no tool"],
)
def test_phase_and_conditions(picture: Picture, phase: Phase, conditions: dict[str, tuple[bool, str]]) -> None:
    status = _status(picture)
    assert status.phase is phase
    assert _conditions(status).items() >= conditions.items()
    assert (status.completion_time is not None) is phase.finished


def test_a_stopped_job_is_stopping_until_its_agents_have_ended() -> None:
    spec = TraceJobSpec(target=Target(name="web"), program=Program(inline="begin { }"), stop=True)
    assert _status(make.picture(make.agent(stop=True), about=make.job(spec))).phase is Phase.STOPPING
    ended = make.agent(state=AgentState.SUCCEEDED, said=DONE)
    assert _status(make.picture(ended, about=make.job(spec))).phase is Phase.SUCCEEDED


def test_complete_and_failed_exclude_each_other() -> None:
    for state in (AgentState.SUCCEEDED, AgentState.FAILED):
        found = _conditions(_status(make.picture(make.agent(state=state, reason="x"))))
        assert ("Complete" in found) is not ("Failed" in found)


def test_a_condition_keeps_its_time_until_its_status_changes() -> None:
    old = "2020-01-01T00:00:00Z"
    before = TraceJobStatus(
        conditions=(
            Condition(type="Admitted", status=ConditionStatus.TRUE, last_transition_time=old),
            Condition(type="Attached", status=ConditionStatus.FALSE, last_transition_time=old),
        )
    )
    status = _status(make.picture(make.agent(), about=make.job(status=before)))
    times = {item.type: item.last_transition_time for item in status.conditions}
    assert times["Admitted"] == old
    assert times["Attached"] == "2026-01-01T12:00:00Z"


def test_once_attached_a_job_stays_attached_when_pods_appear() -> None:
    before = TraceJobStatus(
        conditions=(
            Condition(type="Attached", status=ConditionStatus.TRUE, last_transition_time="2020-01-01T00:00:00Z"),
        )
    )
    picture = make.picture(make.agent("n1"), make.agent("n2", AgentState.STARTING), about=make.job(status=before))
    assert _conditions(_status(picture))["Attached"][0]


def test_each_pod_is_a_row_with_its_agents_numbers() -> None:
    said = make.log(make.attached(), make.maps_record(losses=Losses(ring_buffer=2, map_full=1, truncated=9)))
    status = _status(make.picture(make.agent(said=said, pods=(A, B)), known={"n1": (A, B), "n2": (make.target("c"),)}))
    assert [(row.pod, row.node, row.state, row.lost) for row in status.target_statuses] == [
        ("a", "n1", TargetState.RUNNING, 3),
        ("b", "n1", TargetState.RUNNING, 3),
        ("c", "n2", TargetState.PENDING, 0),
    ]
    assert (status.targets.desired, status.targets.running, status.summary.targets) == (3, 2, "2/3")
    assert status.losses.ring_buffer == 2
    assert status.summary.lost == 3


def test_named_containers_are_rows_of_their_own() -> None:
    spec = TraceJobSpec(target=Target(name="web", containers=("app", "db")), program=Program(inline="begin { }"))
    rows = _status(make.picture(make.agent(pods=(A,)), about=make.job(spec))).target_statuses
    assert [(row.id, row.container) for row in rows] == [("uid-a/app", "app"), ("uid-a/db", "db")]


def test_diagnostics_of_several_nodes_are_told_once() -> None:
    def failed(node: str) -> Agent:
        return make.agent(node, AgentState.FAILED, reason="ProgramInvalid", said=make.log(make.diagnostics("bad")))

    status = _status(make.picture(failed("n1"), failed("n2")))
    assert [(item.message, item.line, item.column) for item in status.diagnostics] == [("bad", 1, 2)]


def test_the_last_output_of_all_nodes_is_shown_in_order_and_the_rest_is_counted() -> None:
    first = make.log(make.attached(), *(make.output(f"{n}\n", seq=n, t=n * 10) for n in range(1, 101)))
    second = make.log(make.attached(), make.output("other\n", seq=1, t=995))
    results = _status(make.picture(make.agent("n1", said=first), make.agent("n2", said=second))).results
    assert [(line.node, line.text) for line in results.output[-2:]] == [("n2", "other\n"), ("n1", "100\n")]
    assert len(results.output) + results.output_omitted == 101


_text = st.text(st.characters(codec="utf-8"), max_size=300)
_entry = st.builds(
    MapEntry,
    key=st.tuples(_text, st.integers(-(2**63), 2**64 - 1)),
    value=st.integers(-(2**63), 2**64 - 1) | _text,
    buckets=st.lists(st.tuples(st.integers(0, 65), st.integers(1, 2**62)), max_size=66).map(tuple),
)


@settings(max_examples=10, deadline=None)
@given(entries=st.lists(_entry, max_size=40), nodes=st.integers(1, 120), maps=st.integers(0, 12))
def test_the_status_stays_small_whatever_it_is_about(entries: list[MapEntry], nodes: int, maps: int) -> None:
    lines = [make.output("\x1b" * 1000, seq=n) for n in range(1, 45)]
    agents = [
        make.agent(f"n{n}", AgentState.FAILED, message="é" * 2000, said=make.log(make.attached(), *lines))
        for n in range(nodes)
    ]
    snapshots = [MapSnapshot(name=f"@{n}", kind=MapKind.HIST, entries=tuple(entries) * 20) for n in range(maps)]
    status = _status(make.picture(*agents), maps=snapshots)
    assert len(msgspec.json.encode(status)) <= STATUS_LIMIT
    assert len(status.target_statuses) + status.target_statuses_omitted == nodes
    assert len(status.results.maps) + status.results.maps_omitted == maps
    for shown in status.results.maps:
        assert len(shown.entries) + shown.omitted == len(entries) * 20


def test_the_biggest_entries_are_kept() -> None:
    entries = tuple(MapEntry(key=(f"key {n}",), value=n) for n in range(1000))
    digest = digest_of(MapSnapshot(name="@", kind=MapKind.COUNT, entries=entries), budget=2000)
    values = [entry.value for entry in digest.entries]
    assert values == list(range(999, 999 - len(values), -1))
    assert digest.omitted == 1000 - len(values)


def test_integers_that_the_api_server_would_round_become_text() -> None:
    entry = MapEntry(key=(2**64 - 1, [2**63]), value=2**64 - 1)
    (safe,) = digest_of(MapSnapshot(name="@", kind=MapKind.MAX, entries=(entry,)), budget=10_000).entries
    assert safe.key == ("18446744073709551615", ["9223372036854775808"])
    assert safe.value == "18446744073709551615"


def test_refused_results_are_said() -> None:
    ended = make.picture(make.agent(state=AgentState.SUCCEEDED, said=DONE))
    assert _conditions(_status(ended, results=ResultsState.WRITTEN))["ResultsReady"] == (True, "ResultsWritten")
    assert _conditions(_status(ended, results=ResultsState.REFUSED))["ResultsReady"] == (False, "ResultsRefused")
