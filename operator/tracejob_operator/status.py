"""The status of a job, from its picture and its merged maps: pure, and never over STATUS_LIMIT bytes.

Rows, output, diagnostics and map keys each have a budget; map keys get what the others leave. What didn't fit is
counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import msgspec

from tracejob_api.maps import MapEntry, MapSnapshot
from tracejob_api.records import Output, ProgramDiagnostic
from tracejob_api.status import (
    STATUS_LIMIT,
    TARGET_STATUS_LIMIT,
    ConditionStatus,
    OutputLine,
    Phase,
    ResultRef,
    Results,
    Summary,
    TargetCounts,
    TargetState,
    TargetStatus,
    TraceJobStatus,
)
from tracejob_operator.account import total_cost, total_losses
from tracejob_operator.agents import AgentState
from tracejob_operator.conditions import ResultsState, conditions_of, phase_of, timestamp
from tracejob_operator.picture import Agent, Picture
from tracejob_operator.target import describe

OUTPUT_LINES = 40
_LINE_LIMIT = 400
_ROW_MESSAGE = 200
_OUTPUT_BUDGET = 12 * 1024
_ROWS_BUDGET = 16 * 1024
_DIAGNOSTICS = 20
_DIAGNOSTICS_BUDGET = 8 * 1024
_INT64 = 1 << 63
_ENCODER = msgspec.json.Encoder()

T = TypeVar("T", bound=msgspec.Struct)


def status_of(
    picture: Picture, *, maps: Sequence[MapSnapshot], refs: tuple[ResultRef, ...], results: ResultsState
) -> TraceJobStatus:
    """The whole status. maps: merged over all nodes."""
    job = picture.job
    agents = picture.agents.values()
    conditions = conditions_of(picture, results=results)
    running = any(agent.verdict.state is AgentState.ATTACHED for agent in agents)
    phase = phase_of(conditions, stopping=job.spec.stop, running=running)
    rows = target_rows(picture)
    shown, rows_left_out = _fit(rows, limit=TARGET_STATUS_LIMIT, budget=_ROWS_BUDGET)
    counts = _counts(rows)
    output, output_left_out = _output_tail(agents)
    ending = conditions[-1] if phase.finished else None
    status = TraceJobStatus(
        observed_generation=job.generation,
        phase=phase,
        start_time=job.status.start_time or timestamp(picture.now),
        completion_time=(job.status.completion_time or timestamp(picture.now)) if phase.finished else None,
        conditions=conditions,
        targets=counts,
        target_statuses=shown,
        target_statuses_omitted=rows_left_out,
        results=Results(
            maps_omitted=len(maps),
            output=output,
            output_omitted=output_left_out,
            refs=refs,
            cost=total_cost(agents),
        ),
        losses=total_losses(agents),
        diagnostics=_diagnostics(picture),
        summary=Summary(
            targets=f"{counts.desired - _waiting(rows)}/{counts.desired}",
            target=describe(job.spec.target)[:100],
            program=_headline(job.spec.program.inline or job.spec.program.tool or ""),
            nodes=len(picture.known),
            events=sum(agent.log.events for agent in agents),
            hits=sum(agent.log.cost.hits for agent in agents),
            lost=total_losses(agents).total(),
            reason=ending.reason if ending is not None else "",
        ),
    )
    return _with_maps(status, maps)


@dataclass(frozen=True, slots=True)
class Head:
    """What is worth telling at once; the rest of the status follows every interval."""

    phase: Phase
    conditions: tuple[tuple[str, ConditionStatus, str], ...]
    rows: tuple[tuple[str, TargetState, str], ...]
    diagnostics: int


def head_of(picture: Picture) -> Head:
    """Cheap: it is asked after every change."""
    agents = picture.agents.values()
    conditions = conditions_of(picture, results=ResultsState.PENDING)
    running = any(agent.verdict.state is AgentState.ATTACHED for agent in agents)
    return Head(
        phase=phase_of(conditions, stopping=picture.job.spec.stop, running=running),
        conditions=tuple((item.type, item.status, item.reason) for item in conditions),
        rows=tuple((row.id, row.state, row.reason) for row in target_rows(picture)),
        diagnostics=sum(len(agent.log.diagnostics) for agent in agents),
    )


def target_rows(picture: Picture) -> list[TargetStatus]:
    """A row for each pod, or each named container of it; for a job over nodes, a row for each node."""
    containers = picture.job.spec.target.containers
    rows: list[TargetStatus] = []
    for node, pods in picture.known.items():
        agent = picture.agents.get(node)
        if not pods:
            rows.append(_row(agent, id_=node, node=node))
        for pod in pods:
            for name in containers or ("",):
                id_ = f"{pod.uid}/{name}" if name else pod.uid
                row = _row(agent, id_=id_, node=node)
                row = msgspec.structs.replace(row, namespace=pod.namespace, pod=pod.name, container=name)
                rows.append(_with_report(row, agent, uid=pod.uid))
    return rows


def all_output(agents: Iterable[Agent]) -> list[OutputLine]:
    """What the agents printed (as far as it is kept), by time; lines of one agent keep their order."""
    lines = [_output_line(agent, record) for agent in agents for record in agent.log.output]
    return sorted(lines, key=lambda line: (line.t, line.node, line.seq))


def _output_line(agent: Agent, record: Output) -> OutputLine:
    pods = agent.request.targets
    pod = record.pod or (f"{pods[0].namespace}/{pods[0].name}" if len(pods) == 1 else "")
    return OutputLine(node=agent.node, seq=record.seq, text=record.text, pod=pod, t=record.t)


def _row(agent: Agent | None, *, id_: str, node: str) -> TargetStatus:
    if agent is None:
        return TargetStatus(id=id_, state=TargetState.PENDING, node=node)
    verdict = agent.verdict
    return TargetStatus(
        id=id_,
        state=_STATES[verdict.state],
        node=node,
        reason=verdict.reason,
        message=verdict.message[:_ROW_MESSAGE],
        events=agent.log.events,
        lost=total_losses([agent]).total(),
    )


_STATES = {
    AgentState.PENDING: TargetState.PENDING,
    AgentState.STARTING: TargetState.PENDING,
    AgentState.ATTACHED: TargetState.RUNNING,
    AgentState.SUCCEEDED: TargetState.SUCCEEDED,
    AgentState.FAILED: TargetState.FAILED,
}


def _with_report(row: TargetStatus, agent: Agent | None, *, uid: str) -> TargetStatus:
    """What the agent says about this very target, where it isn't traced though the agent runs."""
    report = None if agent is None else agent.log.targets.get((uid, row.container)) or agent.log.targets.get((uid, ""))
    if report is None or report.state != "missing" or row.state is TargetState.FAILED:
        return row
    message = report.message or "not found on the node"
    return msgspec.structs.replace(row, state=TargetState.FAILED, reason="TargetGone", message=message[:_ROW_MESSAGE])


def _counts(rows: Sequence[TargetStatus]) -> TargetCounts:
    def count(state: TargetState) -> int:
        return sum(row.state is state for row in rows)

    return TargetCounts(
        desired=len(rows),
        running=count(TargetState.RUNNING),
        succeeded=count(TargetState.SUCCEEDED),
        failed=count(TargetState.FAILED),
    )


def _waiting(rows: Sequence[TargetStatus]) -> int:
    return sum(row.state in (TargetState.PENDING, TargetState.FAILED) for row in rows)


def _diagnostics(picture: Picture) -> tuple[ProgramDiagnostic, ...]:
    """What is wrong with the program, once, however many nodes say it."""
    found = dict.fromkeys(_shortened(item) for item in picture.diagnostics)
    for agent in picture.agents.values():
        found |= dict.fromkeys(_shortened(item) for item in agent.log.diagnostics)
    return _fit(list(found), limit=_DIAGNOSTICS, budget=_DIAGNOSTICS_BUDGET)[0]


def _shortened(item: ProgramDiagnostic) -> ProgramDiagnostic:
    return msgspec.structs.replace(item, message=item.message[:1000], hint=item.hint[:500], notes=item.notes[:3])


def _output_tail(agents: Iterable[Agent]) -> tuple[tuple[OutputLine, ...], int]:
    """The last lines, and how many printed lines are not among them."""
    agents = list(agents)
    lines = all_output(agents)[-OUTPUT_LINES:]
    lines = [msgspec.structs.replace(line, text=_shown(line.text)) for line in lines]
    newest, _ = _fit(lines[::-1], limit=OUTPUT_LINES, budget=_OUTPUT_BUDGET)
    return newest[::-1], sum(agent.log.events for agent in agents) - len(newest)


def _shown(text: str) -> str:
    return text if len(text) <= _LINE_LIMIT else f"{text[:_LINE_LIMIT]}..."


def _headline(program: str) -> str:
    line = " ".join(program.split())
    return line if len(line) <= 60 else f"{line[:57]}..."


def _fit(items: Sequence[T], *, limit: int, budget: int) -> tuple[tuple[T, ...], int]:
    """The first items that fit into both, and how many don't."""
    fitting: list[T] = []
    for item in items[:limit]:
        budget -= len(_ENCODER.encode(item)) + 1
        if budget < 0:
            break
        fitting.append(item)
    return tuple(fitting), len(items) - len(fitting)


def _with_maps(status: TraceJobStatus, maps: Sequence[MapSnapshot]) -> TraceJobStatus:
    """The maps' biggest entries, in the room that is left; every map gets an even share, and what others don't use."""
    room = STATUS_LIMIT - len(_ENCODER.encode(status)) - 1024
    shown: list[MapSnapshot] = []
    for number, snapshot in enumerate(maps):
        share = room // (len(maps) - number)
        digest = digest_of(snapshot, budget=share)
        size = len(_ENCODER.encode(digest)) + 1
        if size > share:
            break
        shown.append(digest)
        room -= size
    results = msgspec.structs.replace(status.results, maps=tuple(shown), maps_omitted=len(maps) - len(shown))
    return msgspec.structs.replace(status, results=results)


def digest_of(snapshot: MapSnapshot, *, budget: int) -> MapSnapshot:
    """The map with its biggest entries that fit into `budget` bytes."""
    empty = msgspec.structs.replace(snapshot, entries=())
    room = budget - len(_ENCODER.encode(empty)) - 64
    entries: list[MapEntry] = []
    for entry in sorted(snapshot.entries, key=_weight, reverse=True):
        safe = msgspec.structs.replace(entry, key=tuple(_safe(part) for part in entry.key), value=_safe(entry.value))
        size = len(_ENCODER.encode(safe)) + 1
        if size > room or not -_INT64 <= safe.sum < _INT64:
            continue
        room -= size
        entries.append(safe)
    left_out = len(snapshot.entries) - len(entries)
    return msgspec.structs.replace(empty, entries=tuple(entries), omitted=snapshot.omitted + left_out)


def _weight(entry: MapEntry) -> int:
    value = entry.value if isinstance(entry.value, int) else 0
    return max(value, entry.count, sum(count for _, count in entry.buckets))


def _safe(value: object) -> object:
    """Integers that the API server would turn into floats become text."""
    match value:
        case bool():
            return value
        case int():
            return value if -_INT64 <= value < _INT64 else str(value)
        case list() | tuple():
            return [_safe(item) for item in value]
        case dict():
            return {key: _safe(item) for key, item in value.items()}
    return value
