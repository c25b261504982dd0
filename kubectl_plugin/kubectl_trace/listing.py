"""Jobs in a list: the server's own table (its columns are the CRD's), or the objects in one of kubectl's forms."""

from __future__ import annotations

import os
import shutil
from typing import NoReturn, cast

import msgspec

from kubectl_trace import jobs
from kubectl_trace.client import TABLE, Api, Json
from kubectl_trace.context import Context
from kubectl_trace.errors import UsageMistake
from kubectl_trace.printers.structured import document
from tracejob_api.escape import escape_line
from tracejob_api.labels import API_VERSION, CLUSTER_PLURAL, TRACEJOB_PLURAL

KUBECTL_FORMS = (
    "jsonpath",
    "jsonpath-file",
    "custom-columns",
    "custom-columns-file",
    "go-template",
    "go-template-file",
)
_GAP = "   "


def show_objects(
    context: Context, api: Api, *, names: tuple[str, ...], all_namespaces: bool, cluster: bool, selector: str, form: str
) -> None:
    """JSON or YAML (one object, or a List), or `tracejob/NAME` lines."""
    if names:
        objects = [jobs.find(api, _qualified(name, cluster=cluster)).raw for name in names]
    else:
        path = _path(api, all_namespaces=all_namespaces, cluster=cluster)
        listed = api.request("GET", path, query={"labelSelector": selector})
        kind = str(listed.get("kind", "")).removesuffix("List")
        objects = [
            {"apiVersion": API_VERSION, "kind": kind, **item} for item in cast(list[Json], listed.get("items") or [])
        ]
    if form == "name":
        for item in objects:
            metadata = cast(dict[str, str], item["metadata"])
            context.show(f"{str(item['kind']).lower()}.tracejob.dev/{metadata['name']}")
    elif len(names) == 1:
        context.show(document(objects[0], form=form))
    else:
        context.show(document({"apiVersion": "v1", "kind": "List", "items": objects}, form=form))


def show_table(
    context: Context, api: Api, *, names: tuple[str, ...], all_namespaces: bool, cluster: bool, selector: str,
    wide: bool, watch: bool,
) -> None:  # fmt: skip
    """The columns that the CRD defines, as the server fills them; with `watch`, changed rows from then on."""
    path = _path(api, all_namespaces=all_namespaces, cluster=cluster)
    query: dict[str, str | bool | int] = {"labelSelector": selector}
    if len(names) == 1:
        query["fieldSelector"] = f"metadata.name={names[0].rpartition('/')[2]}"
    table = api.request("GET", path, query=query, accept=TABLE)
    rows = [row for row in _rows(table) if not names or _name(row) in {name.rpartition("/")[2] for name in names}]
    for name in names:
        if name.rpartition("/")[2] not in {_name(row) for row in rows}:
            jobs.find(api, _qualified(name, cluster=cluster))  # says that there is none
    columns = _columns(table, wide=wide)
    if not rows and not watch:
        where = "" if cluster else " in any namespace" if all_namespaces else f" in namespace {api.namespace}"
        context.notice(f"no trace jobs{where}")
        return
    cells = [_cells(row, columns=columns, namespaced=all_namespaces) for row in rows]
    heads = (["NAMESPACE"] if all_namespaces else []) + [head.upper() for _, head in columns]
    widths = [max(len(line[at]) for line in [heads, *cells]) for at in range(len(heads))]
    for line in [heads, *cells]:
        context.show(_aligned(line, widths))
    if watch:
        version = cast(dict[str, str], table["metadata"])["resourceVersion"]
        query |= {"watch": True, "resourceVersion": version, "includeObject": "Metadata"}
        with api.lines(path, query=query, accept=TABLE) as lines:
            for raw in lines:
                event = msgspec.json.decode(raw, type=dict[str, object])
                for row in _rows(cast(Json, event.get("object") or {})):
                    context.show(_aligned(_cells(row, columns=columns, namespaced=all_namespaces), widths))


def through_kubectl(
    context: Context, *, names: tuple[str, ...], all_namespaces: bool, cluster: bool, selector: str, watch: bool,
    form: str,
) -> NoReturn:  # fmt: skip
    """kubectl has its own little languages for output; it is asked to speak them."""
    program = shutil.which("kubectl", path=context.environment.get("PATH"))
    if program is None:
        raise UsageMistake(f"-o {form.partition('=')[0]} needs kubectl on PATH")
    flags = context.flags
    words = [program, "get", f"{CLUSTER_PLURAL if cluster else TRACEJOB_PLURAL}.tracejob.dev", *names, "-o", form]
    for option, value in (
        ("--namespace", flags.namespace), ("--context", flags.context), ("--kubeconfig", flags.kubeconfig),
        ("--selector", selector),
    ):  # fmt: skip
        words += [option, value] if value else []
    words += ["--all-namespaces"] if all_namespaces else []
    words += ["--watch"] if watch else []
    os.execv(program, words)


def _path(api: Api, *, all_namespaces: bool, cluster: bool) -> str:
    if cluster:
        return jobs.collection_path("", cluster=True)
    return f"/apis/{API_VERSION}/{TRACEJOB_PLURAL}" if all_namespaces else jobs.collection_path(api.namespace)


def _qualified(name: str, *, cluster: bool) -> str:
    return f"ctj/{name}" if cluster and "/" not in name else name


def _rows(table: Json) -> list[Json]:
    return cast(list[Json], table.get("rows") or [])


def _metadata(row: Json) -> dict[str, str]:
    return cast(dict[str, dict[str, str]], row.get("object") or {}).get("metadata") or {}


def _name(row: Json) -> str:
    return _metadata(row).get("name", "")


def _columns(table: Json, *, wide: bool) -> list[tuple[int, str]]:
    """(position, head) of the columns to show: those of priority 0, all when `wide`."""
    definitions = cast(list[Json], table.get("columnDefinitions") or [])
    return [(at, str(item["name"])) for at, item in enumerate(definitions) if wide or not item.get("priority")]


def _cells(row: Json, *, columns: list[tuple[int, str]], namespaced: bool) -> list[str]:
    values = cast(list[object], row.get("cells") or [])
    cells = ["" if at >= len(values) or values[at] is None else str(values[at]) for at, _ in columns]
    return [escape_line(cell) for cell in ([_metadata(row).get("namespace", "")] if namespaced else []) + cells]


def _aligned(cells: list[str], widths: list[int]) -> str:
    return _GAP.join(f"{cell:<{width}}" for cell, width in zip(cells, widths, strict=True)).rstrip()
