"""The plugin against a real API server: jobs created, shown, stopped; each refusal in its own words."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import yaml

from control_plane import ControlPlane
from kubectl_trace.exit_status import ExitStatus
from plugin.conftest import COUNT, Cluster, trace
from tracejob_api.maps import MapEntry, MapKind, MapSnapshot
from tracejob_api.results import ResultHeader, WholeResult, pack
from tracejob_api.status import OutputLine

pytestmark = pytest.mark.e2e

RUNNING = {
    "phase": "Running",
    "targets": {"desired": 1, "running": 1},
    "summary": {"target": "pod/web", "nodes": 1, "targets": "1/1", "events": 1},
    "targetStatuses": [{"id": "u1", "state": "Running", "node": "n1", "pod": "web"}],
}


def succeeded(**more: object) -> dict[str, object]:
    return {
        **RUNNING,
        "phase": "Succeeded",
        "targets": {"desired": 1, "running": 0, "succeeded": 1},
        **more,
    }


def test_detached_run_prints_the_name_and_the_job_is_what_was_asked(cluster: Cluster) -> None:
    said = cluster.trace("run", "pod/web", "-e", COUNT, "--detach", "--name", "asked", "-c", "app", "--duration", "90s")
    assert (said.status, said.out) == (ExitStatus.DONE, "tracejob/asked\n")
    spec = cluster.job("asked")["spec"]
    assert isinstance(spec, dict)
    assert spec["target"] == {"kind": "Pod", "name": "web", "containers": ["app"], "maxTargets": 100}
    assert spec["program"]["inline"] == COUNT
    assert spec["duration"] == "90s"
    assert spec["ttlSecondsAfterFinished"] == 3600


def test_name_is_made_from_the_target(cluster: Cluster) -> None:
    said = cluster.trace("run", "deploy/web", "-e", COUNT, "--detach")
    assert said.out.startswith("tracejob/web-")


def test_get_shows_the_columns_of_the_resource(cluster: Cluster) -> None:
    cluster.trace("run", "pod/web", "-e", COUNT, "--detach", "--name", "listed")
    cluster.tell("listed", **RUNNING)
    said = cluster.trace("get", "listed")
    head, row = said.out.splitlines()
    assert head.split() == ["NAME", "PHASE", "TARGETS", "EVENTS", "LOST", "AGE"]
    assert row.split()[:3] == ["listed", "Running", "1/1"]
    assert yaml.safe_load(cluster.trace("get", "listed", "-o", "yaml").out)["spec"]["target"]["name"] == "web"
    assert cluster.trace("get", "listed", "-o", "name").out == "tracejob.tracejob.dev/listed\n"
    assert "NAMESPACE" in cluster.trace("get", "-A").out


def test_attached_run_prints_output_once_then_the_merged_maps(cluster: Cluster) -> None:
    def operator() -> None:
        _wait_for(cluster, "live")
        line = {"node": "n1", "seq": 3, "text": "hello\n"}
        cluster.tell("live", **RUNNING, results={"output": [line]})
        maps = [{"name": "@", "kind": "count", "entries": [{"key": ["cat"], "value": 12}]}]
        later = {"node": "n1", "seq": 4, "text": "there \u001b[2J\n"}
        summary = {"target": "pod/web", "nodes": 1, "events": 2}
        cluster.tell("live", **succeeded(results={"output": [line, later], "maps": maps}, summary=summary))

    said = _with(operator, lambda: cluster.trace("run", "pod/web", "-e", COUNT, "--name", "live", user="alice"))
    assert said.status is ExitStatus.DONE
    assert said.out == "hello\nthere \\x1b[2J\n\n@[cat]: 12\n"
    assert "reading the job's status" in said.err
    assert "missed" not in said.err


def test_results_come_whole_from_the_configmaps_of_the_job_and_of_no_other(cluster: Cluster) -> None:
    cluster.trace("run", "pod/web", "-e", COUNT, "--detach", "--name", "large")
    uid = _uid(cluster, "large")
    entries = tuple(MapEntry(key=(f"k{number}",), value=number) for number in range(3000))
    whole = WholeResult(
        header=ResultHeader(job="large", namespace="shop", uid=uid, complete=True),
        maps=(MapSnapshot(name="@", kind=MapKind.COUNT, entries=entries),),
        output=(OutputLine(node="n1", seq=1, text="first\n"), OutputLine(node="n1", seq=2, text="last\n")),
    )
    [data] = pack(whole)
    for name, owner in (("large-results-0", uid), ("forged", "someone")):
        body = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": name, "namespace": "shop", "labels": {"tracejob.dev/job-uid": owner}},
            "data": data,
        }
        assert cluster.plane.apply(body).code == 201
    digest = [{"name": "@", "kind": "count", "entries": [{"key": ["k0"], "value": 0}], "omitted": 2999}]
    refs = [{"namespace": "shop", "name": "large-results-0"}]
    cluster.tell("large", **succeeded(results={"maps": digest, "refs": refs}, summary={"nodes": 1, "events": 2}))
    said = cluster.trace("results", "large")
    assert said.out.count("\n") == 3000
    assert said.out.endswith("@[k2999]: 2999\n")
    assert cluster.trace("logs", "large").out == "first\nlast\n"
    cluster.tell("large", results={"refs": [{"namespace": "shop", "name": "forged"}]})
    forged = cluster.trace("results", "large")
    assert forged.out == "@[k0]: 0\n(and 2999 more keys)\n"
    assert "the ConfigMap forged isn't this job's" in forged.err


def test_failed_program_is_shown_with_its_line_and_exit_status_two(cluster: Cluster) -> None:
    def operator() -> None:
        _wait_for(cluster, "wrong")
        finding = {"message": "unknown field", "line": 1, "column": 3, "endLine": 1, "endColumn": 7, "hint": "try this"}
        cluster.tell("wrong", phase="Failed", diagnostics=[finding])

    said = _with(operator, lambda: cluster.trace("run", "pod/web", "-e", COUNT, "--name", "wrong"))
    assert said.status is ExitStatus.PROGRAM_ERROR
    assert f"program:1:3: ERROR: unknown field\n{COUNT}\n  ~~~~\nHINT: try this\n" in said.err


def test_syntax_error_creates_no_job(cluster: Cluster) -> None:
    said = cluster.trace("run", "pod/web", "-e", "begin { @x = ; }", "--name", "never")
    assert said.status is ExitStatus.PROGRAM_ERROR
    assert cluster.plane.request("GET", cluster.path("never")).code == 404


def test_no_target_is_exit_status_three(cluster: Cluster) -> None:
    def operator() -> None:
        _wait_for(cluster, "lost")
        condition = {
            "type": "Failed", "status": "True", "reason": "TargetNotFound", "message": "no pod web in shop",
            "lastTransitionTime": "2026-01-01T00:00:00Z", "observedGeneration": 1,
        }  # fmt: skip
        cluster.tell("lost", phase="Failed", conditions=[condition])

    said = _with(operator, lambda: cluster.trace("run", "pod/web", "-e", COUNT, "--name", "lost"))
    assert said.status is ExitStatus.NO_TARGET
    assert "error: no pod web in shop" in said.err


def test_results_of_an_ended_job(cluster: Cluster) -> None:
    cluster.trace("run", "pod/web", "-e", COUNT, "--detach", "--name", "kept")
    maps = [{"name": "@a", "kind": "count", "entries": [{"value": 7}]}, {"name": "@b", "kind": "sum", "entries": []}]
    cluster.tell("kept", **succeeded(results={"maps": maps}))
    assert cluster.trace("results", "kept").out == "@a: 7\n"
    assert yaml.safe_load(cluster.trace("results", "kept", "-o", "json").out)["maps"][0]["entries"] == [{"value": 7}]
    missing = cluster.trace("results", "kept", "--map", "@c")
    assert (missing.status, missing.err) == (
        ExitStatus.ERROR, "error: the job has no map @c\nhint: its maps: @a, @b\n",
    )  # fmt: skip


def test_stop_sets_spec_stop(cluster: Cluster) -> None:
    cluster.trace("run", "pod/web", "-e", COUNT, "--detach", "--name", "halted")
    said = cluster.trace("stop", "halted", "--no-wait")
    assert said.out == "tracejob/halted is stopping\n"
    spec = cluster.job("halted")["spec"]
    assert isinstance(spec, dict)
    assert spec["stop"] is True


def test_delete_waits_until_the_job_is_gone(cluster: Cluster) -> None:
    cluster.trace("run", "pod/web", "-e", COUNT, "--detach", "--name", "gone")
    assert cluster.trace("delete", "gone").out == "tracejob/gone deleted\n"
    said = cluster.trace("describe", "gone")
    assert (said.status, said.err) == (
        ExitStatus.ERROR,
        "error: no tracejob gone in namespace shop\nhint: `kubectl trace get -A` lists them\n",
    )


def test_second_job_of_a_name_is_refused(cluster: Cluster) -> None:
    cluster.trace("run", "pod/web", "-e", COUNT, "--detach", "--name", "twice")
    said = cluster.trace("run", "pod/web", "-e", COUNT, "--detach", "--name", "twice")
    assert said.status is ExitStatus.ERROR
    assert 'tracejobs.tracejob.dev "twice" already exists' in said.err


def test_viewer_may_read_and_not_create(cluster: Cluster) -> None:
    cluster.trace("run", "pod/web", "-e", COUNT, "--detach", "--name", "shown")
    cluster.tell("shown", **succeeded(results={"maps": [{"name": "@", "kind": "count", "entries": [{"value": 1}]}]}))
    assert cluster.trace("results", "shown", user="viewer").out == "@: 1\n"
    said = cluster.trace("run", "pod/web", "-e", COUNT, "--detach", user="viewer")
    assert said.status is ExitStatus.ERROR
    assert said.err.startswith("error: not allowed: ")
    assert 'cannot create resource "tracejobs"' in said.err
    assert "hint: " in said.err


def test_node_target_needs_the_cluster_scoped_kind(cluster: Cluster) -> None:
    said = cluster.trace("run", "node/n1", "-e", COUNT, "--detach", user="alice")
    assert said.status is ExitStatus.ERROR
    assert "clustertracejobs" in said.err
    created = cluster.trace("run", "node/n1", "-e", COUNT, "--detach", "--name", "whole")
    assert created.out == "clustertracejob/whole\n"
    assert cluster.trace("get", "--cluster").out.splitlines()[1].split()[0] == "whole"


def test_server_side_dry_run_creates_nothing(cluster: Cluster) -> None:
    said = cluster.trace("run", "pod/web", "-e", COUNT, "--name", "dry", "--dry-run", "server")
    assert yaml.safe_load(said.out)["spec"]["startTimeout"] == "2m"
    assert cluster.plane.request("GET", cluster.path("dry")).code == 404


def test_what_the_schema_refuses_is_said_in_its_words(cluster: Cluster) -> None:
    said = cluster.trace("run", "pod/web", "-e", COUNT, "--detach", "--interval", "1ms")
    assert said.status is ExitStatus.ERROR
    assert "interval is from 500ms to 24h" in said.err


def test_describe_tells_conditions_targets_and_losses(cluster: Cluster) -> None:
    cluster.trace("run", "pod/web", "-e", COUNT, "--detach", "--name", "told")
    cluster.tell("told", **succeeded(losses={"ringBuffer": 5}))
    said = cluster.trace("describe", "told")
    assert "web@n1  Running" in said.out
    assert "5 events didn't fit the ring buffer" in said.out
    assert COUNT in said.out


def test_doctor_tells_what_is_missing_and_for_whom(cluster: Cluster) -> None:
    admin = cluster.trace("doctor")
    assert admin.status is ExitStatus.ERROR  # no operator runs here
    assert "ok    jobs of namespace shop can be listed" in admin.out
    assert "bad   no operator in tracejob-system\n      kubectl trace install" in admin.out
    assert "ok    you may trace nodes" in admin.out
    alice = cluster.trace("doctor", user="alice")
    assert "note  you may not trace pods in namespace shop: no right to create pods/exec" in alice.out
    bob = cluster.trace("doctor", user="bob")
    assert "note  jobs of namespace shop aren't yours to see" in bob.out


def test_no_operator_has_its_own_sentence(plane: ControlPlane, tmp_path: object) -> None:
    # A group that isn't served answers as a cluster without the CRDs does.
    from kubectl_trace.client import OperatorMissing, connect
    from kubectl_trace.context import KubeFlags

    api = connect(KubeFlags(kubeconfig=str(plane.kubeconfig())), environment={})
    with pytest.raises(OperatorMissing, match="the operator isn't installed"):
        api.request("GET", "/apis/tracejob.dev/v0/namespaces/default/tracejobs")


def test_unreachable_api_server_has_its_own_sentence(plane: ControlPlane) -> None:
    kubeconfig = plane.directory / "nowhere"
    kubeconfig.write_text(plane.kubeconfig().read_text().replace(plane.url, "https://127.0.0.1:1"))
    started = time.monotonic()
    said = trace("get", "--kubeconfig", str(kubeconfig))
    assert said.status is ExitStatus.ERROR
    assert said.err.startswith("error: can't reach the API server at https://127.0.0.1:1: ")
    assert time.monotonic() - started < 3


def test_unknown_user_has_its_own_sentence(plane: ControlPlane) -> None:
    kubeconfig = plane.directory / "stranger"
    kubeconfig.write_text(plane.kubeconfig().read_text().replace("admin-token", "stranger"))
    assert "doesn't accept these credentials" in trace("get", "--kubeconfig", str(kubeconfig)).err


def test_untrusted_certificate_has_its_own_sentence(plane: ControlPlane) -> None:
    kubeconfig = plane.directory / "untrusted"
    text = plane.kubeconfig().read_text().replace(f', "certificate-authority": "{plane.ca_file}"', "")
    kubeconfig.write_text(text)
    said = trace("get", "--kubeconfig", str(kubeconfig))
    assert "isn't trusted" in said.err


def _with(work, command):  # type: ignore[no-untyped-def]  # two thunks
    thread = threading.Thread(target=work)
    thread.start()
    try:
        return command()
    finally:
        thread.join()


def _uid(cluster: Cluster, name: str) -> str:
    metadata = cluster.job(name)["metadata"]
    assert isinstance(metadata, dict)
    return str(metadata["uid"])


def _wait_for(cluster: Cluster, name: str) -> None:
    deadline = time.monotonic() + 60
    while cluster.plane.request("GET", cluster.path(name)).code != 200:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _running_command(cluster: Cluster, name: str) -> subprocess.Popen[str]:
    """`run` in a process of its own, without a terminal, until its job is there."""
    program = Path(sys.executable).parent / "kubectl-trace"
    kubeconfig = str(cluster.plane.kubeconfig(user="alice", namespace="shop"))
    process = subprocess.Popen(
        [program, "run", "pod/web", "-e", COUNT, "--name", name, "--duration", "0", "--kubeconfig", kubeconfig],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stderr is not None
    assert process.stderr.readline() == f"created tracejob/{name}\n"
    return process


def _ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """Exit status, stdout, stderr; the process is gone then, whatever happened."""
    try:
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
    return process.returncode, out, err


def test_ctrl_c_stops_the_job_and_prints_its_maps(cluster: Cluster) -> None:
    process = _running_command(cluster, "once")
    process.send_signal(signal.SIGINT)  # in the very moment after the job was made

    def operator() -> None:
        deadline = time.monotonic() + 60
        while not (isinstance(spec := cluster.job("once")["spec"], dict) and spec.get("stop")):
            assert time.monotonic() < deadline, "spec.stop is never set"
            time.sleep(0.05)
        maps = [{"name": "@", "kind": "count", "entries": [{"key": ["cat"], "value": 3}]}]
        cluster.tell("once", **succeeded(results={"maps": maps}))

    code, out, err = _with(operator, lambda: _ended(process))
    assert (code, out) == (0, "@[cat]: 3\n"), err


def test_second_ctrl_c_leaves_at_once_and_says_how_to_come_back(cluster: Cluster) -> None:
    process = _running_command(cluster, "left")
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGTERM)  # another signal, because two of one kind may become one
    code, out, err = _ended(process)
    assert (code, out) == (130, "")
    assert err.endswith("left; for its results: kubectl trace attach left -n shop\n")


def test_job_that_is_deleted_meanwhile_ends_the_command(cluster: Cluster) -> None:
    process = _running_command(cluster, "removed")
    assert cluster.plane.request("DELETE", cluster.path("removed")).code == 200
    code, _, err = _ended(process)
    assert code == 1
    assert "tracejob/removed was deleted while it ran" in err


def test_output_that_nobody_kept_is_counted(cluster: Cluster) -> None:
    cluster.trace("run", "pod/web", "-e", COUNT, "--detach", "--name", "chatty")
    lines = [{"node": "n1", "seq": seq, "text": f"{seq}\n"} for seq in (98, 99)]
    results = {"output": lines, "outputOmitted": 98}
    cluster.tell("chatty", **succeeded(results=results, summary={"nodes": 1, "events": 100}))
    said = cluster.trace("logs", "chatty", user="viewer")
    assert said.out == "98\n99\n"
    assert "missed: 98 of 100 output lines" in said.err
