"""The numbers are exact, and the same wherever a user looks for them."""

from __future__ import annotations

import json

import pytest

from e2e.pods import deployment, pod
from e2e.system import SYSTEM_NAMESPACE, System, entries, scalar

COUNT_OPENS = "tracepoint:syscalls:sys_enter_openat { @[comm] = count(); }"


@pytest.fixture(scope="module")
def one(space: System) -> System:
    """A namespace with a pod `web`, and a Deployment `pair` on two nodes."""
    space.apply(pod("web"), deployment("pair", replicas=2)).ok()
    space.kubectl("wait", "--for=condition=Ready", "pod/web", "--timeout=60s").ok()
    space.kubectl("rollout", "status", "deployment/pair", "--timeout=60s").ok()
    return space


def pair(space: System) -> list[str]:
    pods = space.get("pods", "", "-l", "app=pair")["items"]
    assert len({each["spec"]["nodeName"] for each in pods}) == 2, "the replicas are on one node"
    return [each["metadata"]["name"] for each in pods]


def test_a_pod_that_opens_n_files_gives_n_in_status_results_configmap_and_log(one: System) -> None:
    job = one.start("pod/web", COUNT_OPENS, name="exact")
    one.workload("web", "open", "1234", "counted")
    status = job.stop()

    assert status["phase"] == "Succeeded"
    assert scalar(status, "@", "counted") == 1234
    assert "@[counted]: 1234" in one.trace("results", "exact").ok()
    [config_map] = job.config_maps()
    assert config_map["metadata"]["ownerReferences"][0]["name"] == "exact"
    assert "1234" in json.dumps(config_map)
    [agent] = job.agents()
    log = one.within(SYSTEM_NAMESPACE).kubectl("logs", agent["metadata"]["name"], "-c", "agent").ok()
    last = json.loads(log.splitlines()[-1])
    assert last["type"] == "result"
    [counted] = [entry for each in last["maps"] for entry in each["entries"] if entry["key"] == ["counted"]]
    assert counted["value"] == 1234


def test_a_foreground_run_prints_the_map_and_exits_with_zero(one: System) -> None:
    run = one.follow("run", "pod/web", "-e", 'BEGIN { printf("ready\\n"); } ' + COUNT_OPENS, "--name", "foreground")
    run.wait_for("ready")
    one.workload("web", "open", "77", "counted")
    run.interrupt()
    answer = run.finish()
    assert answer.code == 0, answer.err
    assert "@[counted]: 77" in answer.out


def test_exit_in_the_program_ends_the_job(one: System) -> None:
    answer = one.trace("run", "pod/web", "-e", 'BEGIN { @answer = 42; printf("bye\\n"); exit(); }', "--name", "exits")
    assert answer.code == 0, answer.err
    assert "bye" in answer.out
    assert "@answer: 42" in answer.out or "]: 42" in answer.out


def test_two_pods_on_two_nodes_merge_to_the_sum(one: System) -> None:
    first, second = pair(one)
    job = one.start("deploy/pair", COUNT_OPENS, name="merged")
    one.workload(first, "open", "100", "counted")
    one.workload(second, "open", "250", "counted")
    status = job.stop()
    assert status["targets"]["succeeded"] == 2
    assert scalar(status, "@", "counted") == 350
    assert {row["pod"] for row in status["targetStatuses"]} == {first, second}


def test_a_histogram_over_two_nodes_has_every_value_in_its_bucket(one: System) -> None:
    first, second = pair(one)
    program = 'tracepoint:syscalls:sys_enter_write /comm == "workload"/ { @bytes = hist(args.count); }'
    job = one.start("deploy/pair", program, name="histogram")
    one.workload(first, "write", "100", "10")
    one.workload(second, "write", "50", "1000")
    status = job.stop()
    [entry] = entries(status, "@bytes").values()
    assert sorted(count for _, count in entry["buckets"]) == [50, 100]
    shown = one.trace("results", "histogram").ok()
    assert "[8, 16)" in shown
    assert "[512, 1K)" in shown


def test_avg_min_max_and_stats_over_two_nodes_are_those_of_all_values(one: System) -> None:
    first, second = pair(one)
    program = (
        'tracepoint:syscalls:sys_enter_write /comm == "workload"/ '
        "{ @avg = avg(args.count); @min = min(args.count); @max = max(args.count); @sum = sum(args.count); }"
    )
    job = one.start("deploy/pair", program, name="aggregates")
    one.workload(first, "write", "10", "100")
    one.workload(second, "write", "30", "500")
    status = job.stop()
    assert scalar(status, "@sum") == 10 * 100 + 30 * 500
    assert scalar(status, "@min") == 100
    assert scalar(status, "@max") == 500
    [average] = entries(status, "@avg").values()
    assert (average["sum"], average["count"]) == (16000, 40)
