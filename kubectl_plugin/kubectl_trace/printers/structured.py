"""`-o jsonl`: every record as it comes, with the node it is from. `-o json` and `-o yaml`: the result, at the end."""

from __future__ import annotations

import json
from typing import cast

import msgspec

from kubectl_trace.context import Context
from kubectl_trace.jobs import Job
from kubectl_trace.printers.view import ViewBase
from kubectl_trace.results import FullResult
from tracejob_api.records import AnyRecord, Output

Json = dict[str, object]


class JsonLinesView(ViewBase):
    """One JSON object a line; the last is of type `job` and holds the merged result."""

    def record(self, node: str, record: AnyRecord, line: bytes) -> None:
        if not isinstance(record, Output):  # those come through `printed`, whoever the reader is
            self._line({"node": node, **cast(Json, json.loads(line))})

    def printed(self, *, node: str, pod: str, seq: int, text: str) -> None:
        self._line({"type": "output", "node": node, "pod": pod, "seq": seq, "text": text})

    def job(self, job: Job) -> None:
        """The job's own changes are in the records."""

    def finished(self, job: Job, result: FullResult) -> None:
        self._line({"type": "job", **result_document(job, result)})

    def _line(self, value: Json) -> None:
        self._context.show(json.dumps(value, ensure_ascii=True, separators=(",", ":")))


class DocumentView(ViewBase):
    """JSON or YAML, one document at the end; nothing before."""

    def __init__(self, context: Context, *, form: str) -> None:
        super().__init__(context)
        self._form = form

    def record(self, node: str, record: AnyRecord, line: bytes) -> None:
        """Waits for the end."""

    def printed(self, *, node: str, pod: str, seq: int, text: str) -> None:
        """Waits for the end."""

    def job(self, job: Job) -> None:
        """Waits for the end."""

    def finished(self, job: Job, result: FullResult) -> None:
        self._context.show(document(result_document(job, result), form=self._form))


def result_document(job: Job, result: FullResult) -> Json:
    """The result as plain JSON values."""
    status = job.status
    return {
        "job": {"name": job.name.name, "namespace": job.name.namespace, "uid": job.uid},
        "phase": status.phase.value if status.phase else "",
        "targets": msgspec.to_builtins(status.targets),
        "targetStatuses": msgspec.to_builtins(status.target_statuses),
        "maps": msgspec.to_builtins(result.maps),
        "output": msgspec.to_builtins(result.output),
        "losses": msgspec.to_builtins(result.losses),
        "cost": msgspec.to_builtins(result.cost),
        "diagnostics": msgspec.to_builtins(status.diagnostics),
        **({"note": result.note} if result.note else {}),
    }


def document(value: object, *, form: str) -> str:
    """`value` as JSON or YAML text, without the last line end; control characters escaped in both."""
    if form == "yaml":
        import yaml

        return yaml.safe_dump(value, sort_keys=False, allow_unicode=False, default_flow_style=False).rstrip("\n")
    return json.dumps(value, indent=2, ensure_ascii=True)
