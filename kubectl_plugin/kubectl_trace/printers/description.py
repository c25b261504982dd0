"""`describe`'s text: a job as labelled lines. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

from kubectl_trace.jobs import Job
from kubectl_trace.printers.summary import cost_line, loss_line
from tracejob_api.escape import escape_line
from tracejob_api.status import TraceJobStatus

Json = dict[str, object]

_LABEL = 14


def describe(job: Job) -> Iterator[str]:
    """The job's lines, but for its diagnostics and events."""
    status = job.status
    yield _field("Name", job.name.name)
    if job.name.namespace:
        yield _field("Namespace", job.name.namespace)
    yield _field("Phase", status.phase.value if status.phase else "(not seen by the operator yet)")
    yield _field("Target", status.summary.target or _target(job.spec))
    for name, label in (("duration", "Duration"), ("interval", "Interval"), ("startTimeout", "Start timeout")):
        if name in job.spec:
            yield _field(label, str(job.spec[name]))
    if "ttlSecondsAfterFinished" in job.spec:
        yield _field("Deleted", f"{job.spec['ttlSecondsAfterFinished']} s after its end")
    if status.start_time:
        yield _field("Started", status.start_time)
    if status.completion_time:
        yield _field("Ended", status.completion_time)
    yield "Program:"
    yield from (f"  {escape_line(line)}" for line in job.program.split("\n"))
    yield from _conditions(status)
    yield from _targets(status)
    yield from _results(status)


def event_lines(listed: Json) -> Iterator[str]:
    """The Kubernetes events about a job."""
    events = cast(list[Json], listed.get("items") or [])
    yield "Events:" if events else "Events:        none"
    for event in events:
        yield f"  {event.get('type')}  {event.get('reason')}  {escape_line(str(event.get('message') or ''))}"


def _conditions(status: TraceJobStatus) -> Iterator[str]:
    yield "Conditions:"
    for item in status.conditions:
        words = ": ".join(part for part in (item.reason, item.message) if part)
        yield f"  {item.type:<18} {item.status.value:<8} {escape_line(words)}".rstrip()


def _targets(status: TraceJobStatus) -> Iterator[str]:
    counts = status.targets
    yield _field(
        "Targets",
        f"{counts.desired} desired, {counts.running} running, {counts.succeeded} succeeded, {counts.failed} failed",
    )
    for target in status.target_statuses:
        where = f"{target.pod}@{target.node}" if target.pod else target.node
        container = f"/{target.container}" if target.container else ""
        words = ": ".join(part for part in (target.reason, target.message) if part)
        numbers = f"{target.events} events, {target.lost} lost"
        yield f"  {where}{container}  {target.state.value}  {numbers}  {escape_line(words)}".rstrip()
    if status.target_statuses_omitted:
        yield f"  and {status.target_statuses_omitted} more"


def _results(status: TraceJobStatus) -> Iterator[str]:
    maps = ", ".join(f"{item.name} ({len(item.entries) + item.omitted} keys)" for item in status.results.maps)
    if maps:
        yield _field("Maps", maps)
    for ref in status.results.refs:
        yield _field("Result", f"configmap/{ref.name} in {ref.namespace}, {ref.bytes} bytes")
    yield _field("Losses", loss_line(status.losses).removeprefix("lost: ") or "none")
    cost = cost_line(status.results.cost)
    if cost:
        yield _field("Cost", cost.removeprefix("cost: "))


def _field(label: str, value: str) -> str:
    return f"{label + ':':<{_LABEL}} {escape_line(value)}"


def _target(spec: Json) -> str:
    target = cast(Json, spec.get("target") or {})
    return f"{str(target.get('kind') or 'Pod').lower()}/{target.get('name') or '(by labels)'}"
