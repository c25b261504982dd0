"""Plans written by hand, for tests of the engine without the compiler."""

from __future__ import annotations

from tracejob_agent.bpf.compiler import CompilerChild
from tracelang.facts import Location
from tracelang.plan import COUNTERS_SIZE, Attachment, BpfMapKind, MapRole, MapSpec, Plan, ProgramSpec, ProgramType
from tracelang.types import U64

HITS, EVENTS, CGROUPS, COUNTERS = 0, 1, 2, 3

HITS_MAP = MapSpec(HITS, "tj_hits", BpfMapKind.PERCPU_HASH, 8, 8, 1024)
EVENTS_MAP = MapSpec(EVENTS, "tj_events", BpfMapKind.RINGBUF, 0, 0, 1 << 16, role=MapRole.EVENTS)
CGROUPS_MAP = MapSpec(CGROUPS, "tj_cgroups", BpfMapKind.CGROUP_ARRAY, 4, 4, 4, role=MapRole.SCOPE_CGROUPS)
COUNTERS_MAP = MapSpec(COUNTERS, "tj_counters", BpfMapKind.PERCPU_ARRAY, 4, COUNTERS_SIZE, 8, role=MapRole.COUNTERS)
U64_TYPE = U64

PRELUDE = """
#define MAP(index) ((void *)bpf_pseudo_fd(1, index))
#define PROGRAM(name) __attribute__((section(".bpf.fn." #name))) int name

static __always_inline void count(u64 key) {
  u64 *value = bpf_map_lookup_elem(MAP(0), &key);
  if (value) {
    *value += 1;
  } else {
    u64 one = 1;
    bpf_map_update_elem(MAP(0), &key, &one, 0);
  }
}

static __always_inline void lost(u32 program) {
  u64 *counters = bpf_map_lookup_elem(MAP(3), &program);
  if (counters) counters[1] += 1; /* RING_FULL */
}
"""


def attachment(provider: str, *, target: str = "", function: str = "", cookie: int = 0, **options: int) -> Attachment:
    """`options`: the provider's, but for address and pid, which are the location's."""
    address, pid = options.pop("file_offset", 0), options.pop("pid", 0)
    name = ":".join(part for part in (provider, target, function) if part)
    location = Location(name=name, target=target, function=function, address=address, pid=pid)
    return Attachment(provider=provider, location=location, cookie=cookie, options=dict(options))


def program(
    function: str, type_: ProgramType, *attachments: Attachment, callbacks: tuple[str, ...] = ()
) -> ProgramSpec:
    return ProgramSpec(name=function[:15], function=function, type=type_, attachments=attachments, callbacks=callbacks)


def plan(*programs: ProgramSpec, maps: tuple[MapSpec, ...] = (HITS_MAP,)) -> Plan:
    return Plan(c_source="", license="GPL", maps=maps, programs=programs, events=(), probe_names=(), config={})


def compiled(text: str, *functions: str) -> dict[str, bytes]:
    with CompilerChild.start() as compiler:
        return compiler.compile(PRELUDE + text, functions)
