"""The chart, rendered: what the operator is told is what it reads, and every switch leaves valid manifests."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import cast

import pytest
import yaml

from kubectl_trace.chart import Chart
from tracejob_operator.settings import Settings

FOLDER = Path(__file__).parents[2] / "charts/tracejob"
CHART = Chart(FOLDER)
HELM = os.environ.get("TRACEJOB_HELM") or shutil.which("helm")

Json = dict[str, object]


def _objects(values: Json | None = None) -> dict[tuple[str, str], Json]:
    found = CHART.objects(values or {}, namespace="system", release="tracejob")
    return {(str(item["kind"]), str(cast(Json, item["metadata"])["name"])): item for item in found}


def _environment(objects: dict[tuple[str, str], Json]) -> dict[str, str]:
    (container,) = cast(list[Json], _pod_spec(objects)["containers"])
    return {item["name"]: item["value"] for item in cast(list[dict[str, str]], container["env"])}


def _pod_spec(objects: dict[tuple[str, str], Json]) -> Json:
    deployment = cast(dict[str, dict[str, Json]], objects["Deployment", "tracejob-operator"])
    return cast(Json, deployment["spec"]["template"]["spec"])


def test_the_charts_values_are_the_operators_defaults() -> None:
    told = Settings.from_environment(_environment(_objects()))
    assert told == Settings(namespace="system")


def test_every_variable_of_the_chart_is_one_that_the_operator_reads() -> None:
    source = (FOLDER.parents[1] / "operator/tracejob_operator/settings.py").read_text()
    known = set(re.findall(r'"(TRACEJOB_\w+)"', source)) - {"TRACEJOB_AGENT_SERVICE_ACCOUNT"}
    assert set(_environment(_objects())) == known


@pytest.mark.parametrize(
    ("values", "gone", "there"),
    [
        ({"createNamespace": False}, ("Namespace", "system"), None),
        ({"admissionPolicy": False}, ("ValidatingAdmissionPolicy", "tracejob-needs-exec"), None),
        ({"agent": {"networkPolicy": False}}, ("NetworkPolicy", "tracejob-agent"), None),
        ({"prePull": True}, None, ("DaemonSet", "tracejob-pre-pull")),
    ],
    ids=["namespace", "admission policy", "network policy", "pre-pull"],
)
def test_switches(values: Json, gone: tuple[str, str] | None, there: tuple[str, str] | None) -> None:
    default, found = _objects(), _objects(values)
    assert set(default) - set(found) == ({gone} - {None} if gone else set()) | (
        {("ValidatingAdmissionPolicyBinding", "tracejob-needs-exec")} if "admissionPolicy" in values else set()
    )
    assert set(found) - set(default) == ({there} if there else set())


def test_the_operator_is_nobody_special() -> None:
    spec = _pod_spec(_objects())
    (container,) = cast(list[dict[str, Json]], spec["containers"])
    assert cast(Json, spec["securityContext"])["runAsNonRoot"] is True
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def test_every_right_of_the_operator_is_explained() -> None:
    lines = (FOLDER / "templates/rbac.yaml").read_text().splitlines()
    rules = [number for number, line in enumerate(lines) if line.startswith("  - apiGroups:")]
    explained = [number for number in rules if lines[number - 1].lstrip().startswith("#")]
    # One comment may stand over the rules of a pair of groups (apps and batch).
    assert len(rules) - len(explained) <= 1


def test_the_schema_knows_every_value() -> None:
    schema = json.loads((FOLDER / "values.schema.json").read_text())

    def check(values: Json, below: Json, path: str) -> None:
        properties = cast(dict[str, Json], below["properties"])
        for name, value in values.items():
            assert name in properties, f"{path}{name}"
            if isinstance(value, dict) and "properties" in properties[name]:
                check(value, properties[name], f"{path}{name}.")

    check(CHART.defaults(), schema, "")


@pytest.mark.skipif(HELM is None, reason="no helm ($TRACEJOB_HELM)")
@pytest.mark.parametrize("values", [{}, {"prePull": True, "operator": {"nodeSelector": {"a": "b"}}}], ids=["", "more"])
def test_helm_renders_the_same(values: Json, tmp_path: Path) -> None:
    assert HELM is not None
    file = tmp_path / "values.yaml"
    file.write_text(yaml.safe_dump(values))
    command = [HELM, "template", "tracejob", str(FOLDER), "-n", "system", "--kube-version", "1.36.0", "-f", str(file)]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    found = {(item["kind"], item["metadata"]["name"]): item for item in yaml.safe_load_all(text) if item}
    assert found == _objects(values)
