"""What the compiler gives to the engine: C text, and everything needed to load, attach, read and show it.

A plan is plain data: the same program for the same kernel makes the same plan, so that byte code can be cached and a
target can change without compiling again.
"""

from __future__ import annotations

from enum import Enum, IntEnum

from tracelang.facts import Layout, Location
from tracelang.structs import Struct, field
from tracelang.types import AggregateType, Type


class BpfMapKind(Enum):
    """Kernel map types, by their number in uapi/linux/bpf.h."""

    HASH = 1
    ARRAY = 2
    PERCPU_HASH = 5
    PERCPU_ARRAY = 6
    STACK_TRACE = 7
    CGROUP_ARRAY = 8
    LRU_HASH = 9
    LRU_PERCPU_HASH = 10
    RINGBUF = 27


class ScalarMerge(Enum):
    """How a scalar map's values from several nodes become one."""

    SUM = "sum"  # written only by ++ -- += -=
    BY_NODE = "by-node"  # anything else: the node becomes a leading key


class UserMap(Struct, frozen=True):
    """A map of the program: `@name`. key None: a scalar map without a key.

    key_parts: how many brackets-separated keys were written (they are printed "a, b"); the key in memory is the tuple.
    value is an AggregateType for count() and friends; per_cpu: values are read as one per CPU and merged.
    presence: offset of the u64 behind the value that is 1 once a map without a key has been set (such a map is an
    array, whose one entry is always there); 0: the kernel knows whether an entry is there.
    """

    name: str
    key: Type | None
    value: Type
    per_cpu: bool
    merge: ScalarMerge = ScalarMerge.BY_NODE
    presence: int = 0


class MapSpec(Struct, frozen=True):
    """One kernel map. In the C text it is `(void *)bpf_pseudo_fd(1, index)`; the loader puts the descriptor there.

    name: the kernel's name, at most 15 characters, starts with "tj_".
    """

    index: int
    name: str
    kind: BpfMapKind
    key_size: int
    value_size: int
    max_entries: int
    flags: int = 0
    user: UserMap | None = None
    role: str = ""  # "", or one of ROLES below for the maps that the engine itself fills or reads


class MapRole:
    """Names of maps with a meaning to the engine."""

    SCOPE_CGROUPS = "scope_cgroups"  # CGROUP_ARRAY: the target's directories
    SCOPE_KNOWN = "scope_known"  # ARRAY of u64 by a cgroup id's last bits: what programs found out, see CgroupScope
    SCOPE_CGROUP_IDS = "scope_cgroup_ids"  # HASH u64 cgroup id -> u8: the target's directories on a cgroup v1 node
    SCOPE_PIDS = "scope_pids"  # HASH u32 tgid (as the agent's /proc shows it) -> u8
    EVENTS = "events"  # RINGBUF
    COUNTERS = "counters"  # PERCPU_ARRAY, an entry for each program: see Counter
    SCRATCH = "scratch"  # PERCPU_ARRAY: big values of programs
    STACKS = "stacks"  # HASH u64 stack id -> u64 addresses[depth], zero after the last; one map per depth
    UNWIND_ROWS = "unwind_rows"  # ARRAY, see `unwinding`
    UNWIND_PROCESSES = "unwind_procs"  # HASH u32 pid -> the regions of the process, see `unwinding`
    RANDOM = "random"  # other helper state
    CONSTANTS = "constants"  # ARRAY of u64: see Constant
    PLACES = "places"  # ARRAY of u64 by a system call's number: the place's attach cookie + 1, or 0; one per program
    RATE = "rate"  # ARRAY, one entry {u64 second, u64 events}: state of the rate limit


class Counter(IntEnum):
    """What is counted of each program. Its entry of the COUNTERS map is an array of these, u64 each, per CPU."""

    HITS = 0  # runs in scope
    RING_FULL = 1  # events dropped: the ring buffer was full
    MAP_FULL = 2  # map updates dropped: E2BIG
    RATE_LIMITED = 3  # events over the limit
    STACK_LOST = 4  # stacks not stored
    OUTSIDE = 5  # runs for tasks out of scope, of user functions only: each has slowed a neighbour


COUNTERS_SIZE = 64
"""Bytes of an entry: a cache line."""


class ProgramType(Enum):
    """Kernel program types, by their number in uapi/linux/bpf.h."""

    KPROBE = 2  # also uprobe, usdt, kretprobe
    TRACEPOINT = 5
    PERF_EVENT = 7
    RAW_TRACEPOINT = 17  # also begin, end, self: run by BPF_PROG_TEST_RUN
    TRACING = 26  # fentry, fexit, iter, tp_btf
    SYSCALL = 31


class Attachment(Struct, frozen=True):
    """One place where a program is attached. `cookie` is what bpf_get_attach_cookie() gives there (0: not asked for).

    provider: canonical provider name; options: the provider's parsed numbers ("period", "frequency", "event",
    "signal", "length", "mode"...).
    """

    provider: str
    location: Location
    cookie: int = 0
    options: dict[str, int | str] = field(default_factory=dict)


class ProgramSpec(Struct, frozen=True):
    """One BPF program: the C function `function`, with the callbacks it hands to helpers.

    In the C text a callback's address is `(void *)bpf_pseudo_fd(4, i)`, i an index into `callbacks`; the loader links
    the callbacks' byte code behind the program's. A kernel function call is written as a call to helper number
    `KFUNC_BASE + i`, i an index into `kfuncs` (BTF ids).
    probe_text: the probe as the user wrote it, for messages; span of the probe for the verifier's complaints.
    """

    name: str  # kernel name, "tj_..." at most 15 characters
    function: str
    type: ProgramType
    attachments: tuple[Attachment, ...]
    callbacks: tuple[str, ...] = ()
    kfuncs: tuple[int, ...] = ()
    probe_text: str = ""
    probe_index: int = 0  # position of the probe in the program: begin and end run in this order
    attach_btf_function: str = ""  # TRACING: what it attaches to
    shared: str = ""  # the raw tracepoint that the program is attached to in place of its attachments, system calls
    places_map: int = -1  # then, which map says for a call's number whether it is wanted: see MapRole.PLACES


class EventKind(Enum):
    """What user space does with an event. The arguments' types are in the EventSpec."""

    PRINTF = "printf"
    ERRORF = "errorf"
    WARNF = "warnf"
    DEBUGF = "debugf"
    SYSTEM = "system"
    CAT = "cat"
    PRINT_VALUE = "print"  # one argument: a non-map value
    PRINT_MAP = "print_map"  # top, div taken from literals or arguments (see EventSpec.options)
    CLEAR_MAP = "clear"
    ZERO_MAP = "zero"
    EXIT = "exit"  # one argument: u8 exit code
    TIME = "time"  # format in text
    JOIN = "join"
    STRFTIME = "strftime"
    SKB_OUTPUT = "skboutput"
    RUNTIME_ERROR = "runtime_error"  # a helper failed (-k): argument 0 is s64 error; text says where
    UNWATCH = "unwatch"  # one argument: the u64 address whose watchpoints go
    FAIL = "fail"


class EventField(Struct, frozen=True):
    """A value inside an event record, at `offset` bytes from the record's start (the u64 event id is at 0)."""

    offset: int
    type: Type
    name: str = ""


class EventSpec(Struct, frozen=True):
    """The record `{u64 id; fields...}` of `size` bytes in the ring buffer, and what it stands for.

    text: the format string of printf and friends, time()'s format, or the command.
    map: name of the map for PRINT_MAP, CLEAR_MAP, ZERO_MAP. options: "top", "div", "separator" and such constants.
    """

    id: int
    kind: EventKind
    size: int
    fields: tuple[EventField, ...] = ()
    text: str = ""
    map: str = ""
    options: dict[str, int | str] = field(default_factory=dict)
    line: int = 0
    column: int = 0
    programs: tuple[int, ...] = ()  # which make it, by position in Plan.programs


class ScopeOptions(Struct, frozen=True):
    """kind: "none" (the whole host), "cgroups" (slots: how many fit), or "pids".

    hierarchy: "" is cgroup v2; else the controller of the v1 hierarchy that the targets are in ("pids", "memory"...).
    """

    kind: str = "none"
    slots: int = 0
    hierarchy: str = ""
    is_strict: bool = True  # refuse probes that don't run in the task that they are about


class CompileOptions(Struct, frozen=True):
    """All that shapes the byte code besides the text and the kernel.

    pid_namespace_level: level of the agent's PID namespace (0: the host's own), so that pid means what its /proc shows.
    """

    scope: ScopeOptions = ScopeOptions()
    pid_namespace_level: int = 0
    positional: tuple[str, ...] = ()
    named: dict[str, str] = field(default_factory=dict)
    config: dict[str, str] = field(default_factory=dict)  # max_strlen, max_map_keys...: environment over config block
    unsafe: bool = False
    max_map_keys: int = 4096
    ring_bytes: int = 8 << 20
    events_per_second: int = 0  # 0: no limit
    kernel_memory: int = 0  # bytes that the maps may take; 0: no limit
    warnings: bool = True
    runtime_warnings: bool = False  # -k: tell when a map has no such key
    interactive: bool = False  # for a person at this machine: debugf() to the trace pipe, full maps told at their place
    count_hits: bool = True  # per-probe hit counters
    include_directories: tuple[str, ...] = ()  # where #include and import look, behind the program's own directory


class Plan(Struct, frozen=True):
    """The whole answer of the compiler."""

    c_source: str
    license: str
    maps: tuple[MapSpec, ...]
    programs: tuple[ProgramSpec, ...]
    events: tuple[EventSpec, ...]
    probe_names: tuple[str, ...]  # by probe id (the value of TagKind.PROBE_NAME, and of attach cookies)
    config: dict[str, int | str | bool]  # effective settings that output needs: print_maps_on_exit, stack_mode...
    layouts: dict[str, Layout] = field(default_factory=dict)  # of structs that are printed, by StructType.name
    line_map: dict[int, tuple[int, int]] = field(default_factory=dict)  # C line -> (line, column) of the program

    def user_maps(self) -> tuple[MapSpec, ...]:
        return tuple(spec for spec in self.maps if spec.user is not None)


def aggregate(value: Type) -> AggregateType | None:
    return value if isinstance(value, AggregateType) else None
