"""A cluster with the chart installed, once per run, and a namespace with pods, once per test file.

In: --kubeconfig for a cluster of your own (images and the workload image must be there), or nothing for our kind
cluster, which is made when it isn't up. Out: the `system` that tests drive.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.system import REPOSITORY, SYSTEM_NAMESPACE, WORKLOAD_IMAGE, System

HERE = Path(__file__).resolve().parent


@pytest.fixture(scope="session")
def system(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> System:
    """Set up by the first worker of a run; the others wait for it."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base
    given = request.config.getoption("--kubeconfig")
    with (shared / "set-up.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        first = not (shared / "set-up.done").exists()
        found = _given(Path(given)) if given else _ours(build=first)
        if first:
            _install(found)
            (shared / "set-up.done").touch()
    return found


@pytest.fixture(scope="module")
def space(system: System, request: pytest.FixtureRequest) -> Iterator[System]:
    """A namespace of the file's own; what it left behind goes with it."""
    module = request.module.__name__.rpartition(".")[2].removeprefix("test_").replace("_", "-")
    name = f"e2e-{module}-{uuid.uuid4().hex[:5]}"
    system.kubectl("create", "namespace", name).ok()
    yield system.within(name)
    system.kubectl("delete", "namespace", name, "--wait=false").ok()


@pytest.fixture(scope="session")
def nodes(system: System) -> list[str]:
    return [node["metadata"]["name"] for node in system.get("nodes")["items"]]


def _given(kubeconfig: Path) -> System:
    return System(kubeconfig=kubeconfig, path=_path(), ours=False)


def _ours(*, build: bool) -> System:
    if build:
        workload_image()
        subprocess.run(["make", "--no-print-directory", "cluster-up", "images-load"], cwd=REPOSITORY, check=True)
        _kindcluster("load", WORKLOAD_IMAGE)
    exports = dict(line.removeprefix("export ").split("=", 1) for line in _kindcluster("env").splitlines())
    programs = exports["PATH"].strip("'").split(":")[0]
    return System(kubeconfig=Path(exports["KUBECONFIG"].strip("'")), path=f"{_path()}:{programs}", ours=True)


def _path() -> str:
    """The checkout's own `kubectl-trace`, where kubectl finds its plug-ins."""
    return f"{REPOSITORY / '.venv/bin'}:{os.environ['PATH']}"


def _install(system: System) -> None:
    """`kubectl trace install`, as the README says. The images' tag is always the same, so pods are started anew."""
    system.trace("install", timeout=180).ok()
    inside = system.within(SYSTEM_NAMESPACE)
    inside.kubectl("rollout", "restart", "deployment/tracejob-operator").ok()
    inside.kubectl("rollout", "status", "deployment/tracejob-operator", "--timeout=90s").ok()


def workload_image() -> None:
    docker = _kindcluster("docker").strip()
    context = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tracejob" / "workload"
    context.mkdir(parents=True, exist_ok=True)
    source = HERE / "workload"
    subprocess.run(
        ["gcc", "-O1", "-static", "-Wall", "-Wextra", "-o", context / "workload", source / "workload.c"], check=True
    )
    shutil.copyfile(source / "Dockerfile", context / "Dockerfile")
    environment = {**os.environ, "DOCKER_BUILDKIT": "1"}
    subprocess.run([docker, "build", "--quiet", "--tag", WORKLOAD_IMAGE, context], env=environment, check=True)


def _kindcluster(*arguments: str) -> str:
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY / "scripts")}
    command = ["/usr/bin/python3", "-m", "kindcluster", *arguments]
    return subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True).stdout


@pytest.fixture(autouse=True)
def _sharing(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Tests share the cluster; one marked `alone` (it breaks something, or looks at a whole node) has it to itself."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base
    alone = request.node.get_closest_marker("alone") is not None
    with (shared / "cluster.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        yield
