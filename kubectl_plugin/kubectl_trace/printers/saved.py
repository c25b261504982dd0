"""`--save DIR`: the result as files, beside what is printed: job.json, result.json, output.txt, maps.txt."""

from __future__ import annotations

import json
from pathlib import Path

from kubectl_trace.errors import CommandError
from kubectl_trace.jobs import Job
from kubectl_trace.printers.structured import document, result_document
from kubectl_trace.printers.view import View
from kubectl_trace.results import FullResult
from tracejob_api.records import AnyRecord
from tracejob_api.text import render_maps


class SavingView:
    """Passes everything on to another view and keeps it."""

    def __init__(self, view: View, *, directory: Path) -> None:
        try:
            directory.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise CommandError(f"can't save into {directory}: {error.strerror}") from error
        self._view = view
        self._directory = directory
        self._output: list[str] = []

    def record(self, node: str, record: AnyRecord, line: bytes) -> None:
        self._view.record(node, record, line)

    def printed(self, *, node: str, pod: str, seq: int, text: str) -> None:
        self._output.append(text)
        self._view.printed(node=node, pod=pod, seq=seq, text=text)

    def job(self, job: Job) -> None:
        self._view.job(job)

    def finished(self, job: Job, result: FullResult) -> None:
        self._view.finished(job, result)
        self._write("job.json", json.dumps(job.raw, indent=2))
        self._write("result.json", document(result_document(job, result), form="json"))
        self._write("output.txt", "".join(self._output))
        self._write("maps.txt", render_maps(result.maps))

    def notice(self, text: str) -> None:
        self._view.notice(text)

    def close(self) -> None:
        self._view.close()

    def _write(self, name: str, text: str) -> None:
        (self._directory / name).write_text(text, encoding="utf-8", errors="surrogateescape")
