"""The plugin in this process, with streams of its own; a real API server with the CRDs for tests that ask for it."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml

from control_plane import ControlPlane, NoBinary, running
from kubectl_trace.cli import run
from kubectl_trace.context import Context
from kubectl_trace.exit_status import ExitStatus

CRDS = Path(__file__).resolve().parents[2] / "crds"
COUNT = "tracepoint:syscalls:sys_enter_openat { @[comm] = count(); }"


@dataclass(frozen=True, slots=True)
class Said:
    """What a command printed, and how it ended."""

    status: ExitStatus
    out: str
    err: str


def trace(*words: str, stdin: str = "", environment: Mapping[str, str] | None = None) -> Said:
    """`kubectl trace WORDS` in this process."""
    context = Context(
        stdin=io.StringIO(stdin), out=io.StringIO(), err=io.StringIO(), environment=environment or {"HOME": "/nowhere"}
    )
    status = run(words, context)
    assert isinstance(context.out, io.StringIO)
    assert isinstance(context.err, io.StringIO)
    return Said(status, context.out.getvalue(), context.err.getvalue())


@dataclass(frozen=True, slots=True)
class Cluster:
    """A real API server. The tests write a job's status as the operator would: no controller runs here."""

    plane: ControlPlane
    namespace: str = "shop"
    users: frozenset[str] = field(default_factory=frozenset)

    def trace(self, *words: str, user: str = "admin", stdin: str = "") -> Said:
        kubeconfig = self.plane.kubeconfig(user=user, namespace=self.namespace)
        return trace(*words, "--kubeconfig", str(kubeconfig), stdin=stdin)

    def job(self, name: str) -> dict[str, object]:
        return self.plane.request("GET", self.path(name)).body

    def path(self, name: str) -> str:
        return f"/apis/tracejob.dev/v1alpha1/namespaces/{self.namespace}/tracejobs/{name}"

    def tell(self, name: str, **status: object) -> None:
        """Write the job's status."""
        answer = self.plane.request(
            "PATCH", f"{self.path(name)}/status", {"status": status}, content="application/merge-patch+json"
        )
        assert answer.code == 200, answer.message


@pytest.fixture(scope="session")
def plane() -> Iterator[ControlPlane]:
    try:
        with running() as started:
            yield started
    except NoBinary as reason:
        pytest.skip(str(reason))


@pytest.fixture(scope="session")
def cluster(plane: ControlPlane) -> Cluster:
    """With the CRDs, a namespace, a user `viewer` who may read jobs and `alice` who may do all with them."""
    for name in ("tracejobs", "clustertracejobs"):
        answer = plane.apply(yaml.safe_load((CRDS / f"{name}.yaml").read_text()))
        assert answer.code in (200, 201), answer.message
    for namespace in ("shop", "tracejob-system"):
        plane.request("POST", "/api/v1/namespaces", {"metadata": {"name": namespace}})
    _allow(plane, "viewer", verbs=["get", "list", "watch"])
    _allow(plane, "alice", verbs=["*"])
    found = Cluster(plane)
    _wait_served(plane, found.path("").rstrip("/"))
    return found


def _allow(plane: ControlPlane, user: str, *, verbs: list[str]) -> None:
    role = {"namespace": "shop", "name": f"tracejobs-{user}"}
    for body in (
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "Role",
            "metadata": role,
            "rules": [{"apiGroups": ["tracejob.dev"], "resources": ["tracejobs"], "verbs": verbs}],
        },
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "RoleBinding",
            "metadata": role,
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": role["name"]},
            "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user}],
        },
    ):
        assert plane.apply(body).code in (200, 201)


def _wait_served(plane: ControlPlane, path: str) -> None:
    import time

    deadline = time.monotonic() + 60
    while plane.request("GET", path).code != 200:
        assert time.monotonic() < deadline, "the CRD is never served"
        time.sleep(0.1)
