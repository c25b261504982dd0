"""docs/api.md names every field and every reason."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import pytest

from tracejob_api.reasons import Reason
from tracejob_api.records import AnyRecord
from tracejob_api.schema import schema_of
from tracejob_api.spec import ClusterTraceJobSpec
from tracejob_api.status import TraceJobStatus

TEXT = (Path(__file__).parents[2] / "docs/api.md").read_text()
_EXPLAINED_AS_A_WHOLE = {"selector", "process", "resources", "tolerations"}


def _fields(schema: dict[str, object], prefix: str = "") -> list[str]:
    found: list[str] = []
    for name, below in cast(dict[str, dict[str, object]], schema.get("properties", {})).items():
        inner = [] if name in _EXPLAINED_AS_A_WHOLE else _fields(below, f"{prefix}{name}.")
        found += inner or [f"{prefix}{name}"]
    return found


@pytest.mark.parametrize("field", _fields(schema_of(ClusterTraceJobSpec, defaults=True)))
def test_every_field_of_spec_is_explained(field: str) -> None:
    assert f"`{field}`" in TEXT


@pytest.mark.parametrize("field", cast(dict[str, object], schema_of(TraceJobStatus, defaults=False)["properties"]))
def test_every_field_of_status_is_explained(field: str) -> None:
    assert f"`{field}" in TEXT


@pytest.mark.parametrize("reason", [item for item in Reason if item is not Reason.REQUEST_INVALID])
def test_every_reason_is_listed(reason: Reason) -> None:
    assert f"`{reason.value}`" in TEXT


def test_every_record_is_listed() -> None:
    for record in AnyRecord.__args__:
        assert f"`{record.__struct_config__.tag}`" in TEXT
