"""The CRDs, made from the types of `spec` and `status`: structural OpenAPI v3 schemas with CEL rules and defaults.

    python -m tracejob_api.schema DIRECTORY

writes tracejobs.yaml and clustertracejobs.yaml there. A test fails when the files in crds/ are stale.
"""

from __future__ import annotations

import inspect as python_inspect
import sys
from enum import Enum
from pathlib import Path
from typing import cast

import msgspec
from msgspec import inspect

from tracejob_api import labels
from tracejob_api.spec import MUTABLE_FIELDS, STRUCT_RULES, ClusterTraceJobSpec, TraceJobSpec
from tracejob_api.status import TraceJobStatus

Json = dict[str, object]

NAME_LIMIT = 230
"""Characters of a job's name, so that "<job>-results-N" is a name too."""

_COLUMNS: tuple[tuple[str, str, str, int], ...] = (
    ("Phase", "string", ".status.phase", 0),
    ("Targets", "string", ".status.summary.targets", 0),
    ("Events", "integer", ".status.summary.events", 0),
    ("Lost", "integer", ".status.summary.lost", 0),
    ("Age", "date", ".metadata.creationTimestamp", 0),
    ("Hits", "integer", ".status.summary.hits", 1),
    ("Target", "string", ".status.summary.target", 1),
    ("Program", "string", ".status.summary.program", 1),
    ("Duration", "string", ".spec.duration", 1),
    ("Nodes", "integer", ".status.summary.nodes", 1),
    ("Reason", "string", ".status.summary.reason", 1),
)


def custom_resource_definition(*, cluster: bool) -> Json:
    """The CustomResourceDefinition of one of the two kinds."""
    kind = labels.CLUSTER_KIND if cluster else labels.TRACEJOB_KIND
    plural = labels.CLUSTER_PLURAL if cluster else labels.TRACEJOB_PLURAL
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{labels.GROUP}", "labels": {"app.kubernetes.io/name": "tracejob"}},
        "spec": {
            "group": labels.GROUP,
            "scope": "Cluster" if cluster else "Namespaced",
            "names": {
                "kind": kind,
                "listKind": f"{kind}List",
                "plural": plural,
                "singular": kind.lower(),
                "shortNames": ["ctj" if cluster else "tj"],
                "categories": ["tracing"],
            },
            "versions": [
                {
                    "name": labels.VERSION,
                    "served": True,
                    "storage": True,
                    "subresources": {"status": {}},
                    "additionalPrinterColumns": [_column(*column) for column in _COLUMNS],
                    "schema": {"openAPIV3Schema": _root_schema(cluster=cluster)},
                }
            ],
        },
    }


def _column(name: str, type_: str, path: str, priority: int) -> Json:
    column: Json = {"name": name, "type": type_, "jsonPath": path}
    return column | {"priority": priority} if priority else column


def _root_schema(*, cluster: bool) -> Json:
    spec = schema_of(ClusterTraceJobSpec if cluster else TraceJobSpec, defaults=True)
    rules = cast(list[Json], spec.setdefault("x-kubernetes-validations", []))
    properties = cast(Json, spec["properties"])
    rules.extend(_immutable(name) for name in properties if name not in MUTABLE_FIELDS)
    rules.append({"rule": "!oldSelf.stop || self.stop", "message": "a stopped job can't be started again"})
    return {
        "type": "object",
        "description": python_inspect.cleandoc(
            """A program in the bpftrace language that runs on every node where its target lives, fires for the target
            only, and gives one merged answer."""
        ).replace("\n", " "),
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object"},
            "spec": spec,
            "status": schema_of(TraceJobStatus, defaults=False),
        },
        "x-kubernetes-validations": [
            {
                "rule": f"self.metadata.name.size() <= {NAME_LIMIT}",
                "message": f"a job's name has at most {NAME_LIMIT} characters",
            }
        ],
    }


def _immutable(field: str) -> Json:
    """A rule at the parent: one at the field itself would let it be added or removed."""
    return {
        "rule": f"has(self.{field}) == has(oldSelf.{field}) && (!has(self.{field}) || self.{field} == oldSelf.{field})",
        "message": f"spec.{field} can't change: create another job (only stop and ttlSecondsAfterFinished may)",
    }


def schema_of(type_: type[msgspec.Struct], *, defaults: bool) -> Json:
    """The structural schema of a struct, with or without the defaults that the API server fills in."""
    return _schema(inspect.type_info(type_), defaults)


def _schema(info: inspect.Type, defaults: bool) -> Json:
    match info:
        case inspect.Metadata(type=inner, extra_json_schema=extra):
            return _schema(inner, defaults) | (extra or {})
        case inspect.StructType():
            return _struct_schema(info, defaults)
        case inspect.UnionType(types=types):
            return _union_schema(tuple(item for item in types if not isinstance(item, inspect.NoneType)), defaults)
        case inspect.EnumType(cls=cls):
            return {"type": "string", "enum": [member.value for member in cls]}
        case inspect.ListType() | inspect.VarTupleType():
            return _bounded(
                {"type": "array", "items": _schema(info.item_type, defaults)},
                minItems=info.min_length,
                maxItems=info.max_length,
            )
        case inspect.TupleType(item_types=items):
            # A structural schema has one type for all items.
            return {
                "type": "array",
                "items": _schema(items[0], defaults),
                "minItems": len(items),
                "maxItems": len(items),
            }
        case inspect.DictType(value_type=value, max_length=most):
            return _bounded({"type": "object", "additionalProperties": _schema(value, defaults)}, maxProperties=most)
        case inspect.StrType(min_length=least, max_length=most, pattern=pattern):
            return _bounded({"type": "string"}, minLength=least, maxLength=most, pattern=pattern)
        case inspect.IntType(ge=least, le=most):
            return _bounded({"type": "integer", "format": "int64"}, minimum=least, maximum=most)
        case inspect.FloatType():
            return {"type": "number"}
        case inspect.BoolType():
            return {"type": "boolean"}
        case inspect.CustomType(cls=cls) if cls is object:
            return {"x-kubernetes-preserve-unknown-fields": True}
    raise TypeError(f"no schema for {info!r}")


def _struct_schema(info: inspect.StructType, defaults: bool) -> Json:
    properties: Json = {}
    for field in info.fields:
        properties[field.encode_name] = _schema(field.type, defaults) | (_default(field) if defaults else {})
    schema: Json = {"type": "object", "properties": properties}
    document = python_inspect.cleandoc(info.cls.__doc__ or "").partition("\n\n")[0].replace("\n", " ")
    if document:
        schema["description"] = document
    required = [field.encode_name for field in info.fields if field.required]
    if required:
        schema["required"] = required
    rules = STRUCT_RULES.get(info.cls)
    if rules:
        schema["x-kubernetes-validations"] = [{"rule": rule, "message": message} for rule, message in rules]
    return schema


def _union_schema(types: tuple[inspect.Type, ...], defaults: bool) -> Json:
    if len(types) == 1:
        return _schema(types[0], defaults)
    if {type(item) for item in types} == {inspect.IntType, inspect.StrType}:
        return {"x-kubernetes-int-or-string": True, "anyOf": [{"type": "integer"}, {"type": "string"}]}
    raise TypeError(f"a structural schema has no union of {types!r}")


def _default(field: inspect.Field) -> Json:
    """The default to write: a struct's is `{}`, so that its own members' defaults apply."""
    match field.default:
        case bool() | int() | str() if field.default != "":
            return {"default": field.default}
        case Enum():
            return {"default": field.default.value}
        case msgspec.Struct():
            return {"default": {}}
    return {}


def _bounded(schema: Json, **bounds: object) -> Json:
    return schema | {name: bound for name, bound in bounds.items() if bound is not None}


def files() -> dict[str, str]:
    """The CRDs' texts by file name."""
    import yaml

    def text(*, cluster: bool) -> str:
        document = yaml.safe_dump(custom_resource_definition(cluster=cluster), sort_keys=False, width=118)
        return f"# Generated by tracejob_api.schema: change the types there, then run `make generate`.\n{document}"

    return {
        f"{labels.TRACEJOB_PLURAL}.yaml": text(cluster=False),
        f"{labels.CLUSTER_PLURAL}.yaml": text(cluster=True),
    }


def main() -> None:
    directory = Path(sys.argv[1])
    for name, text in files().items():
        (directory / name).write_text(text)


if __name__ == "__main__":
    main()
