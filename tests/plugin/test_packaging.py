"""An installed package holds what the checkout does."""

from __future__ import annotations

import tomllib
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
SETTINGS = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["tool"]["setuptools"]


def test_every_package_of_the_checkout_is_in_the_distribution() -> None:
    found = set()
    for name, folder in SETTINGS["package-dir"].items():
        root = REPOSITORY / folder
        found |= {
            ".".join((name, *path.parent.relative_to(root).parts))
            for path in root.rglob("__init__.py")
            if "__pycache__" not in path.parts
        }
    assert found == set(SETTINGS["packages"])


def test_the_charts_files_are_in_the_distribution() -> None:
    folder = REPOSITORY / "kubectl_plugin/kubectl_trace"
    packed = {path for pattern in SETTINGS["package-data"]["kubectl_trace"] for path in folder.glob(pattern)}
    chart = REPOSITORY / "charts/tracejob"
    there = {folder / "chart_files" / path.relative_to(chart) for path in chart.rglob("*") if path.is_file()}
    assert there == packed


def test_the_pieces_of_c_are_in_the_distribution() -> None:
    folder = REPOSITORY / "node-agent/tracelang/codegen"
    packed = {path for pattern in SETTINGS["package-data"]["tracelang.codegen"] for path in folder.glob(pattern)}
    assert packed == set((folder / "templates").rglob("*.c"))
