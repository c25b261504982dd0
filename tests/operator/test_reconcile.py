"""What is done next, by what is the case."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest

import job_builders as make
from tracejob_api.reasons import Reason
from tracejob_api.spec import (
    ClusterTarget,
    ClusterTargetKind,
    ClusterTraceJobSpec,
    LabelSelector,
    LimitsSpec,
    ProcessSelector,
    Program,
    Target,
    TraceJobSpec,
)
from tracejob_operator.agents import AgentState
from tracejob_operator.reconcile import (
    CreateAgent,
    CutShort,
    RemoveAgent,
    UpdateAgent,
    decide,
    new_request,
    traced_pods,
)
from tracejob_operator.target import Problem, Resolution

A, B = make.target("a"), make.target("b")
FOLLOWING = TraceJobSpec(target=Target(selector=LabelSelector()), program=Program(inline="begin { }"))
STOPPED = msgspec.structs.replace(FOLLOWING, stop=True)


def test_each_node_gets_one_agent() -> None:
    actions = decide(make.picture(targets={"n2": (B,), "n1": (A,)}))
    assert [(action.request.node, action.request.targets) for action in actions if isinstance(action, CreateAgent)] == [
        ("n1", (A,)),
        ("n2", (B,)),
    ]


def test_doing_it_twice_says_nothing_new() -> None:
    assert decide(make.picture(make.agent(pods=(A,)), targets={"n1": (A,)})) == []


def test_new_pods_of_a_node_are_handed_to_its_agent() -> None:
    (action,) = decide(make.picture(make.agent(pods=(A,)), targets={"n1": (A, B)}, about=make.job(FOLLOWING)))
    assert isinstance(action, UpdateAgent)
    assert action.request.targets == (A, B)


def test_a_new_node_gets_an_agent_for_the_time_that_is_left() -> None:
    running = make.agent(pods=(A,), attached_seconds_ago=45)
    (action,) = decide(make.picture(running, targets={"n1": (A,), "n2": (B,)}, about=make.job(FOLLOWING)))
    assert isinstance(action, CreateAgent)
    assert action.request.duration == pytest.approx(15)


@pytest.mark.parametrize(("spec", "ago"), [(None, 1), (FOLLOWING, 59.5)], ids=["does not follow", "time is over"])
def test_a_new_node_gets_no_agent(spec: TraceJobSpec | None, ago: float) -> None:
    running = make.agent(pods=(A,), attached_seconds_ago=ago)
    assert decide(make.picture(running, targets={"n1": (A,), "n2": (B,)}, about=make.job(spec))) == []


def test_a_job_that_does_not_follow_keeps_to_the_pods_it_began_with() -> None:
    found = Resolution({"n1": (A, B)})
    assert traced_pods(make.job(), found, known={"n1": {A.uid: A}}) == {"n1": (A,)}
    assert traced_pods(make.job(), found, known={}) == {"n1": (A, B)}
    assert traced_pods(make.job(FOLLOWING), found, known={"n1": {A.uid: A}}) == {"n1": (A, B)}


@pytest.mark.parametrize("spec", [None, FOLLOWING], ids=["does not follow", "follows"])
def test_a_pod_whose_container_is_being_restarted_stays_a_target(spec: TraceJobSpec | None) -> None:
    found = Resolution({"n1": (B,)}, paused=frozenset({A.uid, "another"}))
    known = {"n1": {A.uid: A, B.uid: B}}
    assert traced_pods(make.job(spec), found, known=known) == {"n1": (A, B)}


def test_when_its_pods_are_gone_an_agent_is_asked_to_stop() -> None:
    (action,) = decide(make.picture(make.agent(pods=(A,)), targets={}))
    assert isinstance(action, UpdateAgent)
    assert action.request.stop
    assert action.request.targets == (A,)


def test_an_agent_that_follows_waits_for_new_pods() -> None:
    assert decide(make.picture(make.agent(pods=(A,)), targets={}, about=make.job(FOLLOWING))) == []


def test_stop_is_an_annotation_first_then_the_deadline() -> None:
    about = make.job(STOPPED)
    (first,) = decide(make.picture(make.agent(), about=about))
    assert isinstance(first, UpdateAgent)
    assert first.request.stop
    assert decide(make.picture(make.agent(stop=True, stop_seconds_ago=3), about=about)) == []
    assert decide(make.picture(make.agent(stop=True, stop_seconds_ago=11), about=about)) == [CutShort("n1")]


def test_stop_removes_agents_that_have_not_begun_and_starts_none() -> None:
    pending = make.agent(state=AgentState.PENDING)
    (action,) = decide(make.picture(pending, targets={"n1": (A,), "n2": (B,)}, about=make.job(STOPPED)))
    assert isinstance(action, RemoveAgent)
    assert action.reason == Reason.STOPPED.value


def test_an_agent_over_its_time_is_asked_to_stop() -> None:
    assert decide(make.picture(make.agent(attached_seconds_ago=70))) == []
    (action,) = decide(make.picture(make.agent(attached_seconds_ago=76)))
    assert isinstance(action, UpdateAgent)
    assert action.request.stop


def test_an_agent_that_never_ran_is_removed_one_that_said_why_stays_for_its_log() -> None:
    lost = make.agent("n1", AgentState.FAILED, reason="ImageMissing", said=make.log())
    told = make.agent("n2", AgentState.FAILED, said=make.log(make.diagnostics("bad"), ended=True))
    alive = make.agent("n3")
    actions = decide(make.picture(lost, told, alive))
    assert [(type(action), getattr(action, "node", "")) for action in actions] == [(RemoveAgent, "n1")]


def test_a_problem_after_the_start_stops_the_other_agents() -> None:
    (action,) = decide(make.picture(make.agent(), problem=Problem(Reason.PROGRAM_TOO_LARGE, "too large")))
    assert isinstance(action, UpdateAgent)
    assert action.request.stop


def test_a_finished_job_is_left_alone() -> None:
    ended = make.agent(state=AgentState.SUCCEEDED, said=make.log(make.attached(), make.result(), ended=True))
    assert decide(make.picture(ended, targets={"n1": (A,), "n2": (B,)}, about=make.job(FOLLOWING))) == []


def test_the_request_carries_what_the_spec_says() -> None:
    spec = ClusterTraceJobSpec(
        target=ClusterTarget(kind=ClusterTargetKind.NODE, name="n1", process=ProcessSelector(comm="nginx")),
        program=Program(inline="begin { }", args=("1", "x")),
        duration="1m30s",
        limits=LimitsSpec(output_bytes="1Ki", kernel_memory=4096, cpu_percent=5),
        unsafe=True,
    )
    request = new_request(make.picture(about=make.job(spec), targets={"n1": ()}), "n1", ())
    assert request.host and request.unsafe
    assert request.duration == timedelta(minutes=1, seconds=30).total_seconds()
    assert (request.limits.output_bytes, request.limits.kernel_memory, request.limits.cpu_percent) == (1024, 4096, 5)
    assert request.process.comm == "nginx"
    assert request.program.args == ("1", "x")
    assert request.job.kind == "ClusterTraceJob"


def test_a_tenants_job_is_never_unsafe_and_never_about_a_node() -> None:
    request = new_request(make.picture(targets={"n1": (A,)}), "n1", (A,))
    assert not request.unsafe
    assert not request.host
