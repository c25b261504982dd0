"""Writing one C function: indented lines with the place in the program that each comes from, temporaries, buffers.

Comes in: C statements; goes out: lines. What a whole BPF program shares (its scratch memory, callbacks, kernel
functions) is in `ProgramState`; what the whole file shares in `module.Module`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tracelang import ir
from tracelang.codegen.layout import StructText
from tracelang.codegen.module import Module
from tracelang.codegen.values import Place, c_type
from tracelang.source import NOWHERE, Span
from tracelang.structs import Struct, field
from tracelang.types import AddressSpace, Type, align_up, is_scalar

ON_STACK_LIMIT = 32
"""Buffers over this size live in scratch memory: a BPF stack has 512 bytes for everything."""

STACK_BUDGET = 192
"""Bytes of buffers on one function's stack; past it, small ones go to scratch memory too."""


class Line(Struct, frozen=True):
    depth: int
    text: str
    span: Span


class ProgramState(Struct, eq=False):
    """What the functions of one BPF program share."""

    probe: ir.TypedProbe
    slot: int  # position in Plan.programs: its entry of the scratch map, its hit counter
    callbacks: list[str] = field(default_factory=list)
    kfuncs: list[int] = field(default_factory=list)
    place: str = ""  # of a program that serves many system calls: the C variable with the attach cookie + 1
    places_map: int = -1  # its index in Plan.maps
    functions: list[WrittenFunction] = field(default_factory=list)  # callbacks and subprograms, callees first
    structs: list[StructText] = field(default_factory=list)
    scratch_locals: list[tuple[str, int]] = field(default_factory=list)  # (declaration, size)
    subprograms: dict[str, str] = field(default_factory=dict)  # name -> C function
    may_end: bool = False  # whether it is a clock's and calls exit()
    zeros: int = 0
    arena: int = 0  # bytes in use now
    arena_peak: int = 0

    @property
    def uses_scratch(self) -> bool:
        return bool(self.scratch_locals or self.zeros or self.arena_peak)

    def take_arena(self, size: int) -> int:
        offset = self.arena
        self.arena += align_up(size, 8)
        self.arena_peak = max(self.arena_peak, self.arena)
        return offset

    def kfunc(self, btf_id: int) -> int:
        if btf_id not in self.kfuncs:
            self.kfuncs.append(btf_id)
        return self.kfuncs.index(btf_id)


class WrittenFunction(Struct, frozen=True):
    """A finished function. head: "int tj_probe_0(void *ctx)"; inlined: has no byte code of its own."""

    name: str
    head: str
    comment: str
    lines: tuple[Line, ...]
    inlined: bool = False


class Writer(Struct, eq=False):
    """One C function being written.

    frame: "" when locals are C variables, else "scratch->" (in functions with loops, see `loops`). leave: the statement
    that ends the function early.
    """

    module: Module
    program: ProgramState
    locals: tuple[ir.LocalVariable, ...]
    prefix: str = "v"
    frame: str = ""
    leave: str = "return 0;"
    result: Type | None = None
    in_callback: bool = False
    lines: list[Line] = field(default_factory=list)
    depth: int = 1
    span: Span = NOWHERE
    counter: list[int] = field(default_factory=lambda: [0])
    stack_used: int = 0
    plain_loops: int = 0

    # --- lines ---

    def emit(self, text: str) -> None:
        self.lines.append(Line(self.depth, text, self.span))

    @contextmanager
    def block(self, head: str, *, tail: str = "}") -> Iterator[None]:
        self.emit(f"{head} {{")
        self.depth += 1
        yield
        self.depth -= 1
        self.emit(tail)

    @contextmanager
    def capture(self) -> Iterator[list[Line]]:
        """Collects what is emitted inside, instead of appending it."""
        outer, self.lines = self.lines, []
        captured = self.lines
        try:
            yield captured
        finally:
            self.lines = outer

    def replay(self, lines: list[Line]) -> None:
        """Lines that were captured, one level deeper."""
        self.lines.extend(Line(line.depth + 1, line.text, line.span) for line in lines)

    @contextmanager
    def at(self, span: Span) -> Iterator[None]:
        outer, self.span = self.span, span
        try:
            yield
        finally:
            self.span = outer

    @contextmanager
    def buffers(self) -> Iterator[None]:
        """Buffers taken inside are free again afterwards."""
        arena, stack = self.program.arena, self.stack_used
        try:
            yield
        finally:
            self.program.arena = arena
            self.stack_used = stack

    # --- names and memory ---

    def fresh(self, hint: str) -> str:
        self.counter[0] += 1
        return f"{hint}_{self.counter[0]}"

    def temp(self, type_: Type, value: str, hint: str = "t") -> str:
        return self.temp_of(c_type(type_), value, hint)

    def temp_of(self, kind: str, value: str, hint: str = "t") -> str:
        name = self.fresh(hint)
        self.emit(f"{kind} {name} = {value};")
        return name

    def opaque(self, name: str) -> None:
        """Hides what the compiler knows of a variable, so that a check of it stays on the register that is used."""
        self.emit(f'asm volatile("" : "+r"({name}));')

    def buffer(self, size: int, hint: str = "buffer") -> Place:
        """Memory for a value, with undefined contents, until the enclosing `buffers()` ends."""
        name = self.fresh(hint)
        if size <= ON_STACK_LIMIT and self.stack_used + size <= STACK_BUDGET:
            self.stack_used += align_up(size, 8)
            self.emit(f"u8 {name}[{align_up(max(size, 1), 8)}] __attribute__((aligned(8)));")
        else:
            offset = self.program.take_arena(size)
            self.emit(f"u8 *{name} = scratch->temporary + {offset};")
        return Place(AddressSpace.BPF, name)

    def zeros(self, size: int) -> Place:
        """Memory that always holds zero bytes."""
        self.program.zeros = max(self.program.zeros, align_up(size, 8))
        return Place(AddressSpace.BPF, "scratch->zeros")

    def local(self, slot: int) -> str:
        """The C text of a scratch variable."""
        return self.frame + self.local_name(slot)

    def local_name(self, slot: int) -> str:
        return f"{self.prefix}{slot}{self.module.suffix(self.locals[slot].name)}"

    def lives_in_scratch(self, size: int) -> bool:
        """Whether a scratch variable of so many bytes is kept off the stack."""
        return bool(self.frame) or size > ON_STACK_LIMIT

    def shared_member(self, kind: str, hint: str) -> str:
        """A variable of the generator's own that callbacks see too."""
        name = self.fresh(hint)
        self.program.scratch_locals.append((f"{kind} {name}", 8))
        return f"scratch->{name}"

    @property
    def is_preemptible(self) -> bool:
        """Whether another task may run the same program on this CPU before this run ends.

        The kernel keeps a program at a user function on its CPU, but doesn't keep others away from it: adding to memory
        of that CPU takes an atomic instruction there.
        """
        return any(item.provider in PREEMPTIBLE for item in self.program.probe.attachments)

    @property
    def is_clock(self) -> bool:
        """Whether the probe fires by itself, again and again, whatever the traced system does."""
        return all(item.provider in CLOCKS for item in self.program.probe.attachments)

    @property
    def gives_scalar(self) -> bool:
        return self.result is not None and is_scalar(self.result)


def scratch_lookup(writer: Writer, *, missing: str) -> list[str]:
    """The lines that find the program's scratch memory. They stand in every function; an unused lookup is removed
    by `render` when the program turned out to need none."""
    macro = "TJ_SCRATCH"
    return [
        f"{SCRATCH_SLOT} = {writer.program.slot};{SCRATCH_MARK}",
        f"struct {writer.program.probe.function}_scratch *scratch = bpf_map_lookup_elem({macro}, &scratch_slot);"
        f"{SCRATCH_MARK}",
        f"if (!scratch) {missing}{SCRATCH_MARK}",
    ]


CLOCKS = frozenset({"interval", "profile"})
PREEMPTIBLE = frozenset({"uprobe", "uretprobe", "usdt"})

SCRATCH_SLOT = "u32 scratch_slot"
SCRATCH_MARK = "\x02"
"""Ends a line that is only wanted in programs with scratch memory."""
