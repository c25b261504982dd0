"""The chart as `install` renders it, and as a real API server takes it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import yaml

from control_plane import ControlPlane, NoBinary, running
from kubectl_trace.chart import packaged
from kubectl_trace.exit_status import ExitStatus
from plugin.conftest import trace


def rendered(*words: str) -> dict[tuple[str, str], dict[str, object]]:
    said = trace("install", "--dry-run", *words)
    assert said.status is ExitStatus.DONE, said.err
    return {(item["kind"], item["metadata"]["name"]): item for item in yaml.load_all(said.out, Loader=yaml.CSafeLoader)}


def test_everything_is_there_and_in_an_order_that_can_be_applied() -> None:
    kinds = [kind for kind, _ in rendered()]
    assert kinds[:3] == ["CustomResourceDefinition", "CustomResourceDefinition", "Namespace"]
    assert {"Deployment", "ClusterRole", "ValidatingAdmissionPolicy"} <= set(kinds)
    assert kinds.index("ServiceAccount") < kinds.index("Deployment")


def test_set_values_reach_the_manifests() -> None:
    words = ("--set", "operator.image=example/op:1", "--set", "agent.image=example/ag:1", "--set", "prePull=true")
    found = rendered(*words)
    text = yaml.safe_dump(found[("Deployment", "tracejob-operator")])
    assert "example/op:1" in text
    assert "example/ag:1" in text
    assert any(kind == "DaemonSet" for kind, _ in found)
    assert not any(kind == "DaemonSet" for kind, _ in rendered())


def test_misspelled_value_is_refused() -> None:
    said = trace("install", "--dry-run", "--set", "operator.imgae=x")
    assert (said.status, said.err.splitlines()[0]) == (
        ExitStatus.ERROR, "error: the chart has no value operator.imgae",
    )  # fmt: skip


def test_the_chart_holds_the_only_copy_of_the_crds_by_reference() -> None:
    for path in (packaged().folder / "crds").glob("*.yaml"):
        assert path.is_symlink()


@pytest.fixture(scope="module")
def empty_plane() -> Iterator[ControlPlane]:
    try:
        with running() as started:
            yield started
    except NoBinary as reason:
        pytest.skip(str(reason))


@pytest.mark.e2e
def test_without_the_crds_each_verb_says_that_the_operator_is_missing(empty_plane: ControlPlane) -> None:
    kubeconfig = str(empty_plane.kubeconfig())
    for words in (("get",), ("run", "pod/x", "-e", "begin { }"), ("results", "x"), ("stop", "x"), ("delete", "x")):
        said = trace(*words, "--kubeconfig", kubeconfig)
        assert said.status is ExitStatus.ERROR
        assert said.err == (
            "error: this cluster has no TraceJob resource: the operator isn't installed\n"
            "hint: `kubectl trace install` installs it (needs cluster-admin)\n"
        ), words


@pytest.mark.e2e
def test_a_real_api_server_takes_every_manifest_twice(empty_plane: ControlPlane) -> None:
    # No controller runs here, so that the operator is never ready: that has to be said, too.
    for _ in range(2):
        said = trace("install", "--timeout", "1s", "--kubeconfig", str(empty_plane.kubeconfig()))
        assert said.status is ExitStatus.TIMED_OUT, said.err
        assert "applied deployment/tracejob-operator" in said.err
        assert "deployment/tracejob-operator isn't ready after 1 s" in said.err
    deployment = empty_plane.request("GET", "/apis/apps/v1/namespaces/tracejob-system/deployments/tracejob-operator")
    assert deployment.code == 200


@pytest.mark.e2e
def test_who_may_not_install_is_told_so(empty_plane: ControlPlane) -> None:
    said = trace("install", "--kubeconfig", str(empty_plane.kubeconfig(user="alice")))
    assert said.status is ExitStatus.ERROR
    assert said.err.startswith("error: not allowed: ")


@pytest.mark.e2e
def test_uninstall_refuses_while_there_are_jobs(empty_plane: ControlPlane) -> None:
    trace("install", "--timeout", "1s", "--kubeconfig", str(empty_plane.kubeconfig()))
    job = trace("run", "pod/x", "-e", "begin { }", "--detach", "--kubeconfig", str(empty_plane.kubeconfig()))
    assert job.status is ExitStatus.DONE, job.err
    said = trace("uninstall", "--kubeconfig", str(empty_plane.kubeconfig()))
    assert said.status is ExitStatus.ERROR
    assert said.err == "error: 1 jobs and their results would be deleted\nhint: say --yes\n"
