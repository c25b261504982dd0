"""What one agent has said so far: its records folded into one picture.

Records may be fed twice (a log is read again after a break, or after the operator's restart): `seq` tells, and what is
missing in between is counted.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import assert_never

import msgspec

from tracejob_api.maps import MapSnapshot
from tracejob_api.records import (
    AnyRecord,
    Attached,
    Cost,
    CostRecord,
    DiagnosticsRecord,
    Hello,
    Losses,
    LossesRecord,
    Maps,
    Output,
    ProgramDiagnostic,
    RecordError,
    Result,
    TargetReport,
    TargetsRecord,
    decode_record,
)

OUTPUT_KEPT = 2000
"""Records of printed output that the operator keeps of each agent, the newest."""

OUTPUT_BYTES_KEPT = 1 << 20
"""Characters of them, so that many agents that print much don't fill the operator's memory."""


@dataclass(slots=True)
class AgentLog:
    """The fold. next_seq: the record expected next; missed: records that never came; strange: lines that are none.

    ended: the log's stream was read to its end after the container had ended.
    """

    hello: Hello | None = None
    attached: Attached | None = None
    diagnostics: tuple[ProgramDiagnostic, ...] = ()
    targets: dict[tuple[str, str], TargetReport] = field(default_factory=dict)
    maps: tuple[MapSnapshot, ...] = ()
    losses: Losses = field(default_factory=Losses)
    cost: Cost = field(default_factory=Cost)
    events: int = 0
    output: deque[Output] = field(default_factory=deque)
    output_size: int = 0
    result: Result | None = None
    next_seq: int = 0
    missed: int = 0
    strange: deque[str] = field(default_factory=lambda: deque(maxlen=20))
    ended: bool = False

    def feed(self, line: bytes) -> bool:
        """Take one line of the log; true when it changed anything."""
        if not line.strip():
            return False
        try:
            record = decode_record(line)
        except RecordError:
            # Whatever else ends up on an agent's stdout or stderr (a crash's traceback) explains a failure later.
            self.strange.append(line.decode(errors="replace")[:500])
            return False
        if record.seq < self.next_seq:
            return False
        self.missed += record.seq - self.next_seq
        self.next_seq = record.seq + 1
        self._take(record)
        return True

    def _take(self, record: AnyRecord) -> None:
        match record:
            case Hello():
                self.hello = record
            case DiagnosticsRecord():
                self.diagnostics = record.items
            case Attached():
                self.attached = record
                self._take_targets(record.targets)
            case TargetsRecord():
                self._take_targets(record.targets)
            case Output():
                self._keep(record)
                self.events += 1
            case Maps():
                self.maps, self.losses = record.maps, record.losses
                self.events = max(self.events, record.events)
            case LossesRecord():
                self.losses = record.losses
            case CostRecord():
                self.cost = record.cost
            case Result():
                self.result = record
                self.maps, self.losses, self.cost = record.maps, record.losses, record.cost
                self.events = max(self.events, record.events)
            case _:
                assert_never(record)

    def _keep(self, record: Output) -> None:
        # The text is all that is shown; a printed map comes in the next snapshot.
        self.output.append(msgspec.structs.replace(record, values=(), map=None))
        self.output_size += len(record.text)
        while len(self.output) > OUTPUT_KEPT or self.output_size > OUTPUT_BYTES_KEPT:
            self.output_size -= len(self.output.popleft().text)

    def _take_targets(self, reports: tuple[TargetReport, ...]) -> None:
        self.targets.update({(report.uid, report.container): report for report in reports})
