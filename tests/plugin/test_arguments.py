"""What a user may write: targets, selectors, durations, programs."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from kubectl_trace.errors import UsageMistake
from kubectl_trace.exit_status import ExitStatus
from kubectl_trace.local import agent_arguments
from kubectl_trace.resource_args import LocalKind, TargetArgument, parse_local, parse_target
from kubectl_trace.selectors import parse_selector
from plugin.conftest import COUNT, trace
from tracejob_api.spec import SelectorOperator


@pytest.mark.parametrize(
    ("word", "kind", "name"),
    [
        ("web", "Pod", "web"), ("pod/web", "Pod", "web"), ("po/web", "Pod", "web"), ("deploy/web", "Deployment", "web"),
        ("sts/db", "StatefulSet", "db"), ("ds/log", "DaemonSet", "log"), ("rs/a", "ReplicaSet", "a"),
        ("job/once", "Job", "once"), ("svc/web", "Service", "web"), ("node/n1.example", "Node", "n1.example"),
    ],
)  # fmt: skip
def test_targets(word: str, kind: str, name: str) -> None:
    assert parse_target(word) == TargetArgument(kind, name=name)


def test_selectors_and_all_nodes() -> None:
    assert parse_target("", selector="app=web") == TargetArgument("Pod", selector="app=web")
    assert parse_target("nodes", selector="role=db") == TargetArgument("Node", selector="role=db")
    assert parse_target("", all_nodes=True) == TargetArgument("Node", selector="")


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("", "no target given"),
        ("deplyo/web", "'deplyo' can't be traced"),
        ("pid/12", "pid/... is a target of this machine"),
        ("pod/Web_1", "'Web_1' is no name"),
        ("pod/", "'' is no name"),
    ],
)
def test_targets_that_are_none(word: str, message: str) -> None:
    with pytest.raises(UsageMistake, match=message):
        parse_target(word)


def test_misspelled_kind_gets_a_suggestion() -> None:
    with pytest.raises(UsageMistake) as caught:
        parse_target("deplyo/web")
    assert caught.value.hint == "did you mean deploy/...?"


def test_local_targets() -> None:
    assert parse_local("").kind is LocalKind.HOST
    assert (parse_local("pid/12").kind, parse_local("pid/12").value) == (LocalKind.PID, "12")
    for wrong in ("web", "pid/x", "pid/0", "pod/web", "comm/"):
        with pytest.raises(UsageMistake):
            parse_local(wrong)


def test_label_selectors() -> None:
    selector = parse_selector("app=web, tier!=cache,zone in (a, b),!old,new")
    assert selector.match_labels == {"app": "web"}
    assert [(item.key, item.operator, item.values) for item in selector.match_expressions] == [
        ("tier", SelectorOperator.NOT_IN, ("cache",)),
        ("zone", SelectorOperator.IN, ("a", "b")),
        ("old", SelectorOperator.DOES_NOT_EXIST, ()),
        ("new", SelectorOperator.EXISTS, ()),
    ]
    for wrong in ("a=b=c", "a in b", "=x", "a,,b"):
        with pytest.raises(UsageMistake, match="is no label selector"):
            parse_selector(wrong)


def test_local_run_hands_everything_to_the_agent() -> None:
    words = agent_arguments(
        parse_local("pid/7"), program="begin { }", name="", arguments=("a", "-b"), duration=0.0, interval=5.0,
        output="jsonl", unsafe=True,
    )  # fmt: skip
    assert words == [
        "local", "--pid", "7", "-e", "begin { }", "--duration", "0", "--interval", "5", "-o", "jsonl", "--unsafe", "--",
        "a", "-b",
    ]  # fmt: skip


def test_client_dry_run_prints_the_object() -> None:
    said = trace(
        "run", "nodes", "-l", "role=db", "-e", COUNT, "--dry-run", "client", "--keep", "--duration", "0",
        "--process", "comm=cat", "--", "one", "-two",
    )  # fmt: skip
    job = yaml.safe_load(said.out)
    assert job["kind"] == "ClusterTraceJob"
    assert job["metadata"] == {"generateName": "nodes-"}
    assert job["spec"]["target"] == {
        "kind": "Node",
        "selector": {"matchLabels": {"role": "db"}},
        "process": {"comm": "cat"},
        "maxTargets": 100,
    }
    assert job["spec"]["program"] == {"inline": COUNT, "args": ["one", "-two"]}
    assert job["spec"]["duration"] == "24h"
    assert "ttlSecondsAfterFinished" not in job["spec"]


def test_unsafe_needs_the_cluster_scoped_kind() -> None:
    said = trace("run", "pod/web", "-n", "shop", "-e", COUNT, "--dry-run", "client", "--unsafe")
    job = yaml.safe_load(said.out)
    assert (job["kind"], job["spec"]["target"]["namespace"], job["spec"]["unsafe"]) == ("ClusterTraceJob", "shop", True)


def test_program_comes_from_standard_input_or_a_file(tmp_path: Path) -> None:
    said = trace("run", "pod/web", "-f", "-", "--dry-run", "client", stdin="begin { exit() }\n")
    assert yaml.safe_load(said.out)["spec"]["program"]["inline"] == "begin { exit() }\n"
    file = tmp_path / "p.bt"
    file.write_text("begin {\n  @x[ = 1;\n}\n")
    said = trace("check", "-f", str(file))
    assert said.status is ExitStatus.PROGRAM_ERROR
    assert said.err.startswith(f"{file}:2:")
    assert "  @x[ = 1;\n" in said.err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("run", "pod/web"), "give the program with -e or with -f"),
        (("run", "pod/web", "-e", "begin { }", "-f", "x"), "-e and -f exclude each other"),
        (("run", "pod/web", "-f", "/no/such.bt"), "can't read the program /no/such.bt: No such file or directory"),
        (("run", "pod/web", "-e", "begin { }", "--duration", "25h"), "at most 24h"),
        (("run", "pod/web", "-e", "begin { }", "--duration", "soon"), "'soon' is no duration"),
        (("run", "--local", "-l", "a=b", "-e", "begin { }"), "-l is for a cluster"),
        (("run", "pod/web", "-e", ""), "the program is empty"),
        (("rnu",), "did you mean 'run'?"),
        (("get",), "no cluster is configured"),
    ],
)
def test_mistakes_end_with_status_one_and_a_sentence(words: tuple[str, ...], message: str) -> None:
    said = trace(*words)
    assert said.status is ExitStatus.ERROR
    assert said.err.startswith("error: ")
    assert message in said.err
    assert said.out == ""


def test_program_that_is_too_large_is_refused_before_the_cluster() -> None:
    said = trace("run", "pod/web", "-e", "// " + "x" * 70000 + "\nbegin { }")
    assert said.status is ExitStatus.PROGRAM_ERROR
    assert "a job takes 65536" in said.err
