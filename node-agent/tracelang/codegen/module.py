"""What the whole C file shares: the kernel maps, the pieces of runtime it needs, the facts and options.

Comes in: requests by name ("the events map", "histogram buckets"); goes out: MapSpecs in a stable order, and the set
of runtime pieces for the template.
"""

from __future__ import annotations

from tracelang import arch, ir, unwinding
from tracelang.codegen.values import CodegenError, safe_name
from tracelang.facts import Facts
from tracelang.kernel_helpers import OF_LINUX_6_1
from tracelang.plan import COUNTERS_SIZE, BpfMapKind, CompileOptions, MapRole, MapSpec, UserMap
from tracelang.pseudo import CONSTANT_SLOTS
from tracelang.source import Span
from tracelang.structs import Struct, field, replace
from tracelang.types import AggregateType, size_of

PER_CPU = frozenset({BpfMapKind.PERCPU_HASH, BpfMapKind.PERCPU_ARRAY, BpfMapKind.LRU_PERCPU_HASH})
ARRAYS = frozenset({BpfMapKind.ARRAY, BpfMapKind.PERCPU_ARRAY})

STACK_ENTRIES = 1 << 14
SCOPE_KNOWN_ENTRIES = 1 << 10
"""A power of two."""
PAGE = 4096
PER_CPU_BYTES = 32768
"""What a per-CPU map's value holds at most (PCPU_MIN_UNIT_SIZE)."""
BPF_F_NO_PREALLOC = 1
"""Since 6.1 (96da3f7d489d) every tracing program may use hash maps that allocate entries when they are needed."""


def presence_of(typed_map: ir.TypedMap) -> int:
    """Where the map's value says that it was set: see `tracelang.plan.UserMap`."""
    if typed_map.key is not None or typed_map.kind not in ARRAYS:
        return 0
    return (max(size_of(typed_map.value), 1) + 7) // 8 * 8


class Module(Struct, eq=False):
    typed: ir.TypedProgram
    options: CompileOptions
    facts: Facts
    maps: list[MapSpec] = field(default_factory=list)
    macros: dict[int, str] = field(default_factory=dict)  # map index -> C name
    runtime: set[str] = field(default_factory=set)
    user_maps: dict[str, ir.TypedMap] = field(default_factory=dict)
    user_index: dict[str, int] = field(default_factory=dict)
    roles: dict[tuple[str, int], int] = field(default_factory=dict)
    emitters: dict[int, set[int]] = field(default_factory=dict)  # event -> programs that make it
    scratch_cpus: int = 0  # entries of a program in a scratch map that is no per-CPU one, as it is too large for that

    def __post_init__(self) -> None:
        for typed_map in self.typed.maps:
            self._add_user_map(typed_map)

    # --- maps ---

    def _add(self, spec: MapSpec, macro: str) -> int:
        self.maps.append(spec)
        self.macros[spec.index] = macro
        return spec.index

    def _add_user_map(self, typed_map: ir.TypedMap) -> None:
        per_cpu = typed_map.kind in PER_CPU
        index = len(self.maps)
        safe = safe_name(typed_map.name)
        size = max(size_of(typed_map.value), 1)
        presence = presence_of(typed_map)
        self.user_maps[typed_map.name] = typed_map
        self.user_index[typed_map.name] = self._add(
            MapSpec(
                index=index,
                name=f"tj_{safe}"[:15] if safe else f"tj_map_{index}",
                kind=typed_map.kind,
                key_size=size_of(typed_map.key) if typed_map.key is not None else 4,
                value_size=presence + 8 if presence else size,
                max_entries=typed_map.max_entries,
                user=UserMap(typed_map.name, typed_map.key, typed_map.value, per_cpu, typed_map.merge, presence),
            ),
            f"MAP_{safe}" if safe else f"MAP_{index}_",
        )

    def user_macro(self, name: str) -> str:
        return self.macros[self.user_index[name]]

    def role_macro(self, role: str, number: int = 0) -> str:
        """The C name of one of the engine's own maps, made when first asked for."""
        key = (role, number)
        if key not in self.roles:
            index = len(self.maps)
            spec = self._role_spec(role, index, number)
            suffix = f"_{number}" if role in (MapRole.STACKS, MapRole.PLACES) else ""
            self.roles[key] = self._add(spec, f"TJ_{role.upper()}{suffix}")
        return self.macros[self.roles[key]]

    def _role_spec(self, role: str, index: int, number: int) -> MapSpec:
        def spec(kind: BpfMapKind, key: int, value: int, entries: int) -> MapSpec:
            name = f"tj_{role}"[:15]
            return MapSpec(index, name, kind, key, value, entries, role=role)

        match role:
            case MapRole.SCOPE_CGROUPS:
                return spec(BpfMapKind.CGROUP_ARRAY, 4, 4, max(self.options.scope.slots, 1))
            case MapRole.SCOPE_KNOWN:
                return spec(BpfMapKind.ARRAY, 4, 8, SCOPE_KNOWN_ENTRIES)
            case MapRole.SCOPE_CGROUP_IDS:
                return spec(BpfMapKind.HASH, 8, 1, max(self.options.scope.slots, 1))
            case MapRole.SCOPE_PIDS:
                return spec(BpfMapKind.HASH, 4, 1, max(self.options.scope.slots, 4096))
            case MapRole.EVENTS:
                return spec(BpfMapKind.RINGBUF, 0, 0, self._ring_bytes())
            case MapRole.COUNTERS:
                return spec(BpfMapKind.PERCPU_ARRAY, 4, COUNTERS_SIZE, max(len(self.typed.probes), 1))
            case MapRole.CONSTANTS:
                return spec(BpfMapKind.ARRAY, 4, 8, CONSTANT_SLOTS)
            case MapRole.PLACES:
                return spec(BpfMapKind.ARRAY, 4, 8, arch.SYSTEM_CALLS)
            case MapRole.RATE:
                return spec(BpfMapKind.ARRAY, 4, 16, 1)
            case MapRole.UNWIND_ROWS:
                return spec(BpfMapKind.ARRAY, 4, unwinding.ROW.size, unwinding.ROWS)
            case MapRole.UNWIND_PROCESSES:
                size = 8 + unwinding.REGION.size * unwinding.REGIONS
                return spec(BpfMapKind.HASH, 4, size, unwinding.PROCESSES)
            case MapRole.STACKS:
                flags = BPF_F_NO_PREALLOC if self.has_helper(OF_LINUX_6_1) else 0
                entries = STACK_ENTRIES if flags else STACK_ENTRIES // 4
                return replace(spec(BpfMapKind.HASH, 8, number * 8, entries), flags=flags)
        raise ValueError(role)

    def _ring_bytes(self) -> int:
        """What `perf_rb_pages` asks for, as the power of two that the kernel wants."""
        pages = int(self.typed.config.get("perf_rb_pages", 0))
        return 1 << (pages * PAGE - 1).bit_length() if pages > 0 else self.options.ring_bytes

    def add_scratch(self, *, programs: int, size: int) -> None:
        """The scratch map's size is known only when every program has been written."""
        index = self.roles[MapRole.SCRATCH, 0]
        kind, entries = BpfMapKind.PERCPU_ARRAY, programs
        if size > PER_CPU_BYTES:
            self.scratch_cpus = max(self.facts.cpu_count(), 1)
            kind, entries = BpfMapKind.ARRAY, programs * self.scratch_cpus
        self.maps[index] = MapSpec(index, "tj_scratch", kind, 4, size, entries, role=MapRole.SCRATCH)

    def scratch_macro(self) -> str:
        key = (MapRole.SCRATCH, 0)
        if key not in self.roles:
            index = len(self.maps)
            placeholder = MapSpec(index, "tj_scratch", BpfMapKind.PERCPU_ARRAY, 4, 8, 1, role=MapRole.SCRATCH)
            self.roles[key] = self._add(placeholder, "TJ_SCRATCH")
        return self.macros[self.roles[key]]

    def stacks_macro(self, depth: int) -> str:
        return self.role_macro(MapRole.STACKS, depth)

    # --- the rest ---

    def need(self, piece: str) -> str:
        """Notes that the runtime piece is used; gives its name back."""
        self.runtime.add(piece)
        return piece

    def has_helper(self, name: str) -> bool:
        return self.facts.helper(name)

    def offset_of(self, struct: str, *members: str) -> int:
        """Byte offset of a (nested) member in a kernel struct, from the kernel's own BTF."""
        layout = self.facts.struct(struct)
        if layout is None or members[0] not in layout.members:
            raise CodegenError(f"this kernel's type information has no {struct}.{members[0]}")
        return layout.members[members[0]].offset

    def suffix(self, name: str) -> str:
        safe = safe_name(name)
        return f"_{safe}" if safe else ""

    def position(self, span: Span) -> tuple[int, int] | None:
        sources = self.typed.sources
        if span.source >= len(sources) or span == Span(0, 0):
            return None
        return sources[span.source].position(span.start)

    def source_line(self, span: Span) -> str:
        sources = self.typed.sources
        if span.source >= len(sources):
            return ""
        source = sources[span.source]
        return source.text[span.start : span.end]

    def is_aggregate(self, name: str) -> bool:
        return isinstance(self.user_maps[name].value, AggregateType)
