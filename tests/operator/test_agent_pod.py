"""The agent pod is as strong as it has to be, and no stronger."""

from __future__ import annotations

import re
from typing import cast

import pytest

import job_builders as make
from tracejob_api import labels
from tracejob_api.request import decode
from tracejob_api.spec import ResourceRequirements, Toleration
from tracejob_operator.agent_pod import AgentOptions, agent_name, agent_pod
from tracejob_operator.settings import Settings, SettingsError

Json = dict[str, object]
OPTIONS = AgentOptions()
SETTINGS = Settings(namespace="system", agent_image="registry/agent:1", agent_pull_secrets=("registry",))


def _pod(options: AgentOptions | None = None) -> Json:
    return agent_pod(make.request("node-1"), settings=SETTINGS, options=options or AgentOptions())


def _spec(pod: Json) -> Json:
    return cast(Json, pod["spec"])


def test_the_request_is_in_the_annotation_and_shown_as_a_file() -> None:
    pod = _pod()
    annotations = cast(dict[str, dict[str, str]], pod["metadata"])["annotations"]
    assert decode(annotations[labels.ANNOTATION_REQUEST]) == make.request("node-1")
    assert "tracejob.dev/request" in str(_spec(pod)["volumes"])
    assert labels.REQUEST_FILE in str(_spec(pod)["containers"])


def test_it_is_bound_to_its_node_by_the_nodes_own_name() -> None:
    assert "'matchFields': [{'key': 'metadata.name', 'operator': 'In', 'values': ['node-1']}]" in str(_spec(_pod()))


def test_it_holds_no_token_and_ends_by_itself() -> None:
    spec = _spec(_pod())
    assert spec["automountServiceAccountToken"] is False
    assert spec["restartPolicy"] == "Never"
    # startTimeout 120 s, duration 60 s, and time to flush.
    assert spec["activeDeadlineSeconds"] == 210
    assert "hostNetwork" not in spec
    assert "ports" not in str(spec)


def test_the_nodes_trees_are_mounted_read_only() -> None:
    spec = _spec(_pod())
    volumes = {cast(str, item["name"]): item for item in cast(list[Json], spec["volumes"])}
    (container,) = cast(list[Json], spec["containers"])
    for mount in cast(list[Json], container["volumeMounts"]):
        if "hostPath" in volumes[cast(str, mount["name"])] and mount["name"] != "cache":
            assert mount["readOnly"] is True


def test_the_cache_is_the_one_thing_on_the_node_that_it_may_write() -> None:
    spec = _spec(_pod())
    cache = {"name": "cache", "hostPath": {"path": "/var/cache/tracejob", "type": "DirectoryOrCreate"}}
    assert cache in cast(list[Json], spec["volumes"])
    without = agent_pod(
        make.request("node-1"), settings=Settings.from_environment({"TRACEJOB_AGENT_CACHE_PATH": ""}), options=OPTIONS
    )
    assert "cache" not in str(_spec(without))


def test_a_job_may_choose_what_the_chart_would_otherwise() -> None:
    spec = _spec(
        _pod(
            AgentOptions(
                resources=ResourceRequirements(limits={"memory": "2Gi"}),
                tolerations=(Toleration(key="gpu"),),
                priority_class_name="high",
            )
        )
    )
    assert spec["tolerations"] == [{"key": "gpu"}]
    assert spec["priorityClassName"] == "high"
    assert spec["imagePullSecrets"] == [{"name": "registry"}]
    assert "2Gi" in str(spec["containers"])
    assert _spec(_pod())["tolerations"] == [{"operator": "Exists"}]


@pytest.mark.parametrize("name", ["a", "a.b.c", "x" * 230, "y" * 39 + "." + "z" * 20])
def test_names_are_names_and_differ_by_job_and_node(name: str) -> None:
    found = agent_name(job_name=name, job_uid="u1", node="n1")
    assert re.fullmatch(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?", found)
    assert len(found) <= 63
    assert found == agent_name(job_name=name, job_uid="u1", node="n1")
    assert (
        len(
            {
                found,
                agent_name(job_name=name, job_uid="u2", node="n1"),
                agent_name(job_name=name, job_uid="u1", node="n2"),
            }
        )
        == 3
    )


def test_settings_come_from_the_environment_and_mistakes_are_named() -> None:
    settings = Settings.from_environment(
        {"TRACEJOB_AGENT_RESOURCES": '{"limits": {"cpu": "1"}}', "TRACEJOB_AGENT_PULL_SECRETS": "a,b"}
    )
    assert settings.agent_resources.limits == {"cpu": "1"}
    assert settings.agent_pull_secrets == ("a", "b")
    assert Settings.from_environment({}) == Settings()
    with pytest.raises(SettingsError, match="TRACEJOB_AGENT_TOLERATIONS"):
        Settings.from_environment({"TRACEJOB_AGENT_TOLERATIONS": "nonsense"})
