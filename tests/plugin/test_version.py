"""One version, wherever it stands."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

import yaml

from tracejob_api.version import VERSION

CHART = Path(__file__).parents[2] / "charts/tracejob/Chart.yaml"


def test_the_version_is_that_of_the_package_and_of_the_chart() -> None:
    assert version("tracejob") == VERSION
    assert yaml.safe_load(CHART.read_text())["appVersion"] == VERSION
