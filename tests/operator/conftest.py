"""A real API server with the chart installed, for tests that ask it. No node: nothing runs there but the API."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import control_plane
from control_plane import ControlPlane
from kubectl_trace.chart import Chart
from tracejob_api.labels import SYSTEM_NAMESPACE

CHART = Chart(Path(__file__).parents[2] / "charts/tracejob")


@pytest.fixture(scope="session")
def cluster() -> Iterator[ControlPlane]:
    """The namespace `shop` is alice's (edit) and viewer's (view); bob may create jobs there, but not exec."""
    # The controller manager fills in the aggregated roles, edit and view.
    with control_plane.running(controllers=True) as plane:
        _install(plane)
        plane.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}})
        _grant(plane, user="alice", role="edit")
        _grant(plane, user="viewer", role="view")
        _grant(plane, user="bob", role="tracejob-edit")
        yield plane


def _install(plane: ControlPlane) -> None:
    objects = CHART.objects({}, namespace=SYSTEM_NAMESPACE, release="tracejob")
    for manifest in [*CHART.resources(), *objects]:
        answer = plane.apply(manifest)
        assert answer.code in (200, 201), f"{manifest['kind']}: {answer.message}"
    # The operator of the tests runs outside: the user "operator" has the rights of the chart's service account.
    for manifest in objects:
        if manifest["kind"] in ("ClusterRoleBinding", "RoleBinding"):
            metadata = manifest["metadata"]
            assert isinstance(metadata, dict)
            subject = {"kind": "User", "name": "operator", "apiGroup": "rbac.authorization.k8s.io"}
            plane.apply(manifest | {"metadata": metadata | {"name": "operator-outside"}, "subjects": [subject]})


def _grant(plane: ControlPlane, *, user: str, role: str) -> None:
    answer = plane.apply(
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "RoleBinding",
            "metadata": {"name": f"{user}-{role}", "namespace": "shop"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
            "subjects": [{"kind": "User", "name": user, "apiGroup": "rbac.authorization.k8s.io"}],
        }
    )
    assert answer.code in (200, 201), answer.message
