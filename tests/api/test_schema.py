"""The CRDs say what the types say."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tracejob_api import schema

CRDS = Path(__file__).parents[2] / "crds"


@pytest.mark.parametrize("name", sorted(schema.files()))
def test_the_files_in_crds_are_what_the_types_make(name: str) -> None:
    assert (CRDS / name).read_text() == schema.files()[name], "run `make generate`"


def test_the_chart_refers_to_the_only_copy() -> None:
    for name in schema.files():
        chart = CRDS.parent / "charts/tracejob/crds" / name
        assert chart.is_symlink()
        assert chart.resolve() == (CRDS / name).resolve()


def test_every_field_of_spec_but_two_is_immutable() -> None:
    for text in schema.files().values():
        spec = yaml.safe_load(text)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
        guarded = {
            name
            for name in spec["properties"]
            for rule in spec["x-kubernetes-validations"]
            if f"self.{name} ==" in rule["rule"]
        }
        assert set(spec["properties"]) - guarded == {"stop", "ttlSecondsAfterFinished"}


def test_only_the_cluster_kind_reaches_nodes_namespaces_and_unsafe() -> None:
    def spec_of(name: str) -> dict[str, dict[str, object]]:
        document = yaml.safe_load(schema.files()[name])
        properties = document["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]
        assert isinstance(properties, dict)
        return properties

    tenant, cluster = spec_of("tracejobs.yaml"), spec_of("clustertracejobs.yaml")
    assert set(cluster) - set(tenant) == {"unsafe"}
    tenant_target, cluster_target = tenant["target"]["properties"], cluster["target"]["properties"]
    assert isinstance(tenant_target, dict) and isinstance(cluster_target, dict)
    assert set(cluster_target) - set(tenant_target) == {"namespace"}
    assert set(cluster_target["kind"]["enum"]) - set(tenant_target["kind"]["enum"]) == {"Node"}
