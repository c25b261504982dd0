"""The chart's manifests without helm: the part of Go's templates that charts/tracejob uses, and no more.

Comes in: the chart's folder, values over its values.yaml. Goes out: objects, in the order in which they are applied.
A construct that isn't known is an error, so that the chart can't drift from what is understood here; a test compares
the two ways.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import yaml

from kubectl_trace.errors import CommandError
from kubectl_trace.template import TemplateError, render

Json = dict[str, object]

_ORDER = ("Namespace", "PriorityClass", "ServiceAccount", "ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding")
"""Kinds that others need first; all else follows in the order of the files."""


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart's folder."""

    folder: Path

    def resources(self) -> list[Json]:
        """The CustomResourceDefinitions."""
        return [item for path in sorted((self.folder / "crds").glob("*.yaml")) for item in _documents(path.read_text())]

    def objects(self, values: Mapping[str, object], *, namespace: str, release: str) -> list[Json]:
        """Everything else, rendered; CommandError names the file and line that can't be."""
        about = yaml.safe_load((self.folder / "Chart.yaml").read_text())
        scope: Json = {
            "Values": merged(self.defaults(), values),
            "Release": {"Namespace": namespace, "Name": release, "Service": "kubectl-trace", "IsInstall": True},
            "Chart": {
                "Name": about["name"],
                "Version": about["version"],
                "AppVersion": str(about.get("appVersion", "")),
            },
        }
        found: list[Json] = []
        for path in sorted((self.folder / "templates").glob("*.yaml")):
            try:
                found += _documents(render(path.read_text(), scope))
            except (TemplateError, yaml.YAMLError) as error:
                raise CommandError(f"the chart's {path.name} can't be rendered: {error}") from error
        return sorted(found, key=lambda item: _rank(str(item["kind"])))

    def defaults(self) -> Json:
        return cast(Json, yaml.safe_load((self.folder / "values.yaml").read_text()) or {})


def packaged() -> Chart:
    """The chart that was installed with this plugin."""
    folder = Path(__file__).parent / "chart_files"
    if not (folder / "Chart.yaml").is_file():
        raise CommandError(
            f"this installation carries no chart ({folder})", hint="install with helm from charts/tracejob"
        )
    return Chart(folder)


def merged(base: Mapping[str, object], over: Mapping[str, object]) -> Json:
    """`over` laid over `base`: objects are merged, anything else is replaced."""
    result = dict(base)
    for key, value in over.items():
        below = result.get(key)
        if isinstance(value, Mapping) and isinstance(below, Mapping):
            result[key] = merged(below, value)
        else:
            result[key] = value
    return result


def parse_set(words: tuple[str, ...]) -> Json:
    """`a.b=c` words as values; numbers, true and false become what they look like."""
    values: Json = {}
    for word in words:
        path, equals, text = word.partition("=")
        if not equals or not re.fullmatch(r"[A-Za-z0-9_]+(\.[A-Za-z0-9_]+)*", path):
            raise CommandError(f"{word!r} sets nothing", hint="write --set image.tag=v1")
        nested: object = yaml.safe_load(text) if text else ""
        for part in reversed(path.split(".")):
            nested = {part: nested}
        values = merged(values, cast(Json, nested))
    return values


def unknown_values(values: Mapping[str, object], defaults: Mapping[str, object], *, prefix: str = "") -> Iterator[str]:
    """Names in `values` that the chart doesn't have: most likely misspelled. Free-form objects are left alone."""
    for key, value in values.items():
        if key not in defaults:
            yield f"{prefix}{key}"
        elif isinstance(value, Mapping) and isinstance(below := defaults[key], Mapping) and below:
            yield from unknown_values(value, below, prefix=f"{prefix}{key}.")


# The CRDs are large: libyaml reads them ten times faster, where PyYAML was built with it.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def _documents(text: str) -> list[Json]:
    return [cast(Json, item) for item in yaml.load_all(text, Loader=_LOADER) if item]


def _rank(kind: str) -> int:
    return _ORDER.index(kind) if kind in _ORDER else len(_ORDER)
