"""What an agent says: one JSON object a line on its stdout, the only way out of an agent pod.

Every record has `v`, `type`, `t` (wall-clock nanoseconds since 1970) and `seq` (from 0, without gaps, so that a reader
sees what is missing). `maps`, `losses` and `cost` are absolute: reading a log twice changes nothing.
"""

from __future__ import annotations

from enum import Enum

import msgspec

from tracejob_api.maps import MapSnapshot

RECORD_VERSION = 1
LINE_LIMIT = 8 * 1024 * 1024
"""Bytes of one line. An agent leaves map keys out (`omitted`) rather than write more."""

DIGEST_LIMIT = 4096
"""Bytes of a termination message."""


class ProbeLosses(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """What was lost of one probe, which is spelled as the user wrote it. The numbers are those of Losses."""

    probe: str
    ring_buffer: int = 0
    map_full: int = 0
    rate_limited: int = 0
    output_dropped: int = 0
    stacks: int = 0
    missed: int = 0

    def total(self) -> int:
        return _sum(self)


PROBE_LOSSES = tuple(name for name in ProbeLosses.__struct_fields__ if name != "probe")


class Losses(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """What didn't arrive, in absolute numbers since attach: what was made is what arrived and what stands here.

    probes: those that lost anything. What two probes share (a printf() in a function) is in the sums alone.
    """

    ring_buffer: int = 0  # events: no room in the ring buffer
    map_full: int = 0  # updates of a full map
    rate_limited: int = 0  # events over limits.eventsPerSecond
    truncated: int = 0  # map keys not in the result
    output_dropped: int = 0  # output records over limits.outputBytes, or that nobody read in time
    stacks: int = 0  # stacks that the kernel didn't store
    missed: int = 0  # runs that the kernel skipped, as a program was running there already
    transport: int = 0  # records that an agent wrote and the operator didn't get
    probes: tuple[ProbeLosses, ...] = ()

    def total(self) -> int:
        """Events, updates and records that were lost (what wasn't shown for its size is `truncated`)."""
        return _sum(self) + self.transport


def _sum(losses: ProbeLosses | Losses) -> int:
    numbers: list[int] = [getattr(losses, name) for name in PROBE_LOSSES]
    return sum(numbers)


class ProbeCost(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """A probe as the user wrote it: how often it ran, and nanoseconds per run where the kernel counts them."""

    probe: str
    hits: int = 0
    ns_per_hit: int = 0


class Cost(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """What tracing cost on this node since attach."""

    hits: int = 0
    probes: tuple[ProbeCost, ...] = ()
    cpu_seconds: float = 0.0  # of the agent, user and system
    cpu_percent: float = 0.0  # of one CPU, over the run
    probe_cpu_seconds: float = 0.0  # of the probes in the processes that they trace, by samples
    memory_bytes: int = 0  # resident, at its highest
    kernel_bytes: int = 0  # of maps
    neighbour_hits: int = 0  # uprobes hit by processes outside the target, which map the same file
    neighbour_seconds: float = 0.0  # of CPU, that this took them


class ProbeCount(msgspec.Struct, frozen=True, rename="camel"):
    """A probe as the user wrote it, and the number of places where it was attached."""

    probe: str
    count: int = 1


class DiagnosticNote(msgspec.Struct, frozen=True, rename="camel"):
    line: int
    column: int
    message: str


class ProgramDiagnostic(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """One thing that is wrong with the program. Lines and columns are 1-based, in code points; the end is exclusive.

    source: the file it is in, empty for the program itself. line 0: no place in the text.
    """

    message: str
    severity: str = "error"  # or "warning"
    line: int = 0
    column: int = 0
    end_line: int = 0
    end_column: int = 0
    hint: str = ""
    source: str = ""
    notes: tuple[DiagnosticNote, ...] = ()


class TargetReport(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """How a pod, or one of its containers, is doing on the node. state: "attached", "missing", "gone"."""

    uid: str
    container: str = ""
    state: str = "attached"
    message: str = ""


class EndReason(Enum):
    """Why an agent ended."""

    DURATION = "duration"  # the time was over
    EXIT = "exit"  # exit() in the program
    STOPPED = "stopped"  # spec.stop
    TARGETS_GONE = "targets-gone"  # all targets ended
    SIGNAL = "signal"  # SIGTERM or SIGINT; the result is complete up to there
    FAILED = "failed"  # `failure` says what


class Failure(Enum):
    """What kept an agent from tracing."""

    PROGRAM_INVALID = "ProgramInvalid"  # parse, type or compile error: see the diagnostics record
    VERIFIER_REFUSED = "VerifierRefused"
    ATTACH_FAILED = "AttachFailed"
    TARGET_GONE = "TargetGone"  # before the probes were attached
    NODE_UNSUPPORTED = "NodeUnsupported"  # no BTF, lockdown, no cgroups mounted...
    START_TIMEOUT = "StartTimeout"
    LIMIT = "LimitExceeded"  # limits.cpuPercent, limits.kernelMemory
    REQUEST_INVALID = "RequestInvalid"
    INTERNAL = "InternalError"


class Record(msgspec.Struct, frozen=True, kw_only=True, rename="camel", tag_field="type", omit_defaults=True):
    """What every record has; none of the three has a default, so that all are always written."""

    t: int
    seq: int
    v: int


class Hello(Record, frozen=True, kw_only=True, tag="hello"):
    """The first record. versions: of the agent, of bcc, of the language."""

    id: str
    node: str
    kernel: str = ""
    arch: str = ""
    versions: dict[str, str] = {}


class DiagnosticsRecord(Record, frozen=True, kw_only=True, tag="diagnostics"):
    items: tuple[ProgramDiagnostic, ...]
    text: str = ""  # as a person reads it: source line, underline, hint


class Attached(Record, frozen=True, kw_only=True, tag="attached"):
    """All probes are on. stages: nanoseconds since the agent's start by stage (parse, compile, load, attach...)."""

    probes: tuple[ProbeCount, ...] = ()
    stages: dict[str, int] = {}
    targets: tuple[TargetReport, ...] = ()


class TargetsRecord(Record, frozen=True, kw_only=True, tag="targets"):
    """Targets whose state changed while running."""

    targets: tuple[TargetReport, ...]


class Output(Record, frozen=True, kw_only=True, tag="output"):
    """What the program printed.

    kind: "printf", "print", "map" (print of a map: `map` holds it), "time", "join", "cat", "error", "warning"...
    text: as bpftrace prints it, line ends included. values: printf's arguments, typed. tick: number of the interval
    probe's round, where one printed it. pod, container: where the event came from, when the agent knows.
    """

    kind: str
    text: str
    values: tuple[object, ...] = ()
    map: MapSnapshot | None = None
    tick: int = 0
    pod: str = ""
    container: str = ""


class Maps(Record, frozen=True, kw_only=True, tag="maps"):
    """Every map, whole."""

    maps: tuple[MapSnapshot, ...]
    events: int = 0  # output records so far
    losses: Losses = Losses()


class LossesRecord(Record, frozen=True, kw_only=True, tag="losses"):
    losses: Losses


class CostRecord(Record, frozen=True, kw_only=True, tag="cost"):
    cost: Cost


class Result(Record, frozen=True, kw_only=True, tag="result"):
    """The last record; always there unless the node died. exit_code: of `exit(n)` in the program."""

    reason: EndReason
    maps: tuple[MapSnapshot, ...] = ()
    losses: Losses = Losses()
    cost: Cost = Cost()
    events: int = 0
    failure: Failure | None = None
    message: str = ""
    exit_code: int = 0
    attached_at: int = 0  # wall-clock nanoseconds; 0: never


AnyRecord = Hello | DiagnosticsRecord | Attached | TargetsRecord | Output | Maps | LossesRecord | CostRecord | Result


class Digest(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """The agent's termination message: what is left when its log can't be read. At most DIGEST_LIMIT bytes."""

    reason: EndReason
    failure: Failure | None = None
    message: str = ""
    events: int = 0
    losses: Losses = Losses()
    seq: int = 0  # of the result record


class RecordError(Exception):
    """A line that isn't a record."""


_ENCODER = msgspec.json.Encoder()
_DECODER: msgspec.json.Decoder[AnyRecord] = msgspec.json.Decoder(AnyRecord)


def encode_record(record: AnyRecord) -> bytes:
    """One line, its end included."""
    return _ENCODER.encode(record) + b"\n"


def decode_record(line: bytes | str) -> AnyRecord:
    """The record of one line; RecordError when there is none. Members that aren't known are skipped."""
    try:
        return _DECODER.decode(line)
    except (msgspec.MsgspecError, ValueError) as error:
        raise RecordError(f"not a record: {error}") from error


def encode_digest(digest: Digest) -> bytes:
    """The termination message, its text shortened to what the kubelet keeps."""
    data = _ENCODER.encode(digest)
    while len(data) > DIGEST_LIMIT and digest.message:
        digest = msgspec.structs.replace(digest, message=digest.message[: len(digest.message) // 2])
        data = _ENCODER.encode(digest)
    return data


def decode_digest(data: bytes | str) -> Digest:
    """The digest of a termination message; RecordError when there is none."""
    try:
        return msgspec.json.decode(data, type=Digest)
    except (msgspec.MsgspecError, ValueError) as error:
        raise RecordError(f"not a digest: {error}") from error
