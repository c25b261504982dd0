"""The benchmarks' page and picture, from answers made up."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType
from xml.etree import ElementTree

REPOSITORY = Path(__file__).parents[2]


def load(name: str) -> ModuleType:
    """A module of benchmarks/, which isn't installed."""
    package = "benchmarks"
    if package not in sys.modules:
        made = ModuleType(package)
        made.__path__ = [str(REPOSITORY / package)]
        sys.modules[package] = made
    return importlib.import_module(f"{package}.{name}")


def test_the_page_holds_every_table_and_the_picture_a_bar_for_each_ratio() -> None:
    frame, page = load("frame"), load("page")
    table = frame.Table("Weight", ("tracer", "MiB"), [["tracejob", "25"]], note="A note.")
    answer = frame.Answer([table], {"a & b": 0.5, "c": 3.25})
    text = page.page([answer], machine="2 CPUs.", command="make bench")
    assert "## Weight\n\n| tracer | MiB |\n|---|---|\n| tracejob | 25 |\n\nA note.\n" in text
    drawn = ElementTree.fromstring(page.picture(answer.ratios))
    words = [element.text for element in drawn.iter("{http://www.w3.org/2000/svg}text")]
    assert {"a & b", "0.50", "c", "3.25"} <= set(words)
    bars = list(drawn.iter("{http://www.w3.org/2000/svg}rect"))[1:]
    # The longest bar ends where the picture does, whatever the ratio.
    assert [float(bar.get("width") or 0) for bar in bars] == [100.0, 400.0]
