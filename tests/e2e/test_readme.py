"""The README's tour is true: its commands are run as they stand, and print what it says they print.

Left out are the commands that set the cluster up and take the operator away again, which the whole suite depends on.
What differs from run to run is compared by its shape: numbers, suffixes of names, the nodes' names, bars.
"""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

from e2e.system import REPOSITORY, System

LEFT_OUT = ("make ", "eval ", "export ", "kubectl trace install", "kubectl trace uninstall")


def tour() -> list[tuple[str, list[str]]]:
    """(command, expected lines) of every console block, in order."""
    text = (REPOSITORY / "README.md").read_text()
    commands: list[tuple[str, list[str]]] = []
    for block in re.findall(r"```console\n(.*?)```", text, re.DOTALL):
        for line in block.splitlines():
            if line.startswith("$ "):
                commands.append((line[2:], []))
            else:
                commands[-1][1].append(line)
    return [(command, lines) for command, lines in commands if not command.startswith(LEFT_OUT)]


def shape(line: str) -> str:
    """The line without what differs from run to run."""
    line = re.sub(r"\bshop-[a-z0-9]+(-[a-z0-9]{5})?(@[-a-z0-9]+)?", "shop-NAME", line)
    line = re.sub(r"\d+(\.\d+)?", "N", line)
    line = line.replace("on N node", "on N nodes").replace("nodess", "nodes")
    return re.sub(r"\s+", " ", line).strip()


def test_the_tour_is_true_word_for_word(space: System, tmp_path: Path) -> None:
    config = json.loads(space.kubectl("config", "view", "--raw", "-o", "json").ok())
    for context in config["contexts"]:
        context["context"]["namespace"] = space.namespace
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(json.dumps(config))
    environment = space.environment() | {"KUBECONFIG": str(kubeconfig)}
    commands = tour()
    assert len(commands) >= 8
    for command, expected in commands:
        done = subprocess.run(
            ["bash", "-c", command], cwd=REPOSITORY, env=environment, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120, check=False,
        )  # fmt: skip
        said = [shape(line) for line in done.stdout.splitlines()]
        for line in expected:
            assert shape(line) in said, f"$ {command}\n{done.stdout}\nthe README promises: {line}"
        if not any("error:" in line for line in expected):
            assert done.returncode == 0, f"$ {command}\n{done.stdout}"
