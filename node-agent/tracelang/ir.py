"""The typed tree: what the analyser makes of a program and the code generator turns into BPF C.

Sugar is gone: names are resolved, macros expanded, every conversion is explicit, every field is an offset, every event
has its record. Each expression has a type. Scalars (types.is_scalar) are values; all other types are *places*: memory
whose first byte the code generator can name. A place is in the program's own memory (strings it made, map values,
locals) or behind an address in kernel or user space, from where the generator copies what is used.
"""

from __future__ import annotations

from enum import Enum

from tracelang.facts import Layout, UsdtArgument
from tracelang.plan import Attachment, BpfMapKind, EventSpec, ProgramType, ScalarMerge
from tracelang.source import Source, Span
from tracelang.structs import Struct, field
from tracelang.types import AddressSpace, AggregateType, Type


class Expr(Struct, frozen=True):
    span: Span
    type: Type


# --- expressions ------------------------------------------------------------------------------------------------


class Constant(Expr, frozen=True):
    """An integer, boolean, enum or pointer constant, in the range of its type."""

    value: int


class StringConstant(Expr, frozen=True):
    """`data` without the NUL; the type's size is len(data) + 1 or more (zero filled)."""

    data: bytes


class ArrayConstant(Expr, frozen=True):
    """An array whose bytes are known (`pton("10.0.0.1")`): `data` has the array's size."""

    data: bytes


class Local(Expr, frozen=True):
    """A scratch variable: `slot` indexes Probe.locals."""

    slot: int


class MapValue(Expr, frozen=True):
    """`@m` or `@m[k]`: zero bytes where the key isn't there. `key` is converted to the map's key type.

    Of an aggregate map (type count, sum, avg, ...) in an expression: the type is then the integer it yields
    (sum over the CPUs; avg the quotient...).
    """

    map: str
    key: Expr | None


class HasKey(Expr, frozen=True):
    map: str
    key: Expr


class DeleteKey(Expr, frozen=True):
    """Type BOOL: whether it was there. key None: a scalar map is set to zero bytes / deleted."""

    map: str
    key: Expr | None


class MapAdd(Expr, frozen=True):
    """`@m++`, `++@m`, `@m += e` on integer maps: atomic add; value is the old (`postfix`) or the new number."""

    map: str
    key: Expr | None
    amount: Expr
    postfix: bool


class Convert(Expr, frozen=True):
    """To `type`: integers widen by the source's signedness or are cut; int <-> pointer <-> bool; strings are cut or
    zero-filled; buffers, tuples, records convert element by element."""

    operand: Expr


class Arithmetic(Expr, frozen=True):
    """`operator`: + - * / % & | ^ << >>. Operands have the node's type (the right of a shift: any integer).

    Signed division and modulo keep C's meaning (BPF has no signed division before v4: the generator does signs);
    division by zero gives 0, modulo by zero the dividend.
    """

    operator: str
    left: Expr
    right: Expr


class PointerAdd(Expr, frozen=True):
    """pointer + index * scale bytes (index signed, may be negative)."""

    base: Expr
    index: Expr
    scale: int


class Compare(Expr, frozen=True):
    """`operator`: == != < <= > >=. Operands have one common scalar type; its signedness decides."""

    operator: str
    left: Expr
    right: Expr


class StringCompare(Expr, frozen=True):
    """Equality of two strings up to the first NUL, at most `length` bytes (None: the shorter field's size).

    `result_integer`: type is integer and the value 0 for equal, 1 for different (strncmp); else BOOL of `equal`.
    """

    left: Expr
    right: Expr
    length: int | None
    equal: bool
    result_integer: bool = False


class MemoryCompare(Expr, frozen=True):
    """Equality of two places of one type (arrays, tuples, buffers), `size` bytes."""

    left: Expr
    right: Expr
    size: int
    equal: bool


class Logical(Expr, frozen=True):
    """`&&`, `||`: the right side runs only when it decides."""

    operator: str
    left: Expr
    right: Expr


class Unary(Expr, frozen=True):
    """`-`, `~` (type as operand), `!` (BOOL)."""

    operator: str
    operand: Expr


class Select(Expr, frozen=True):
    """Ternary; both sides have the node's type, only one runs. Type NONE: used for its effect."""

    condition: Expr
    then: Expr
    otherwise: Expr


class Sequence(Expr, frozen=True):
    """Statements, then a value (None: type NONE)."""

    statements: tuple[Stmt, ...]
    value: Expr | None


class MakeTuple(Expr, frozen=True):
    """Elements laid out as types.tuple_layout says; type is TupleType or RecordType; padding is zero.

    `order`: the elements in the order in which they are evaluated; empty: as they stand.
    """

    elements: tuple[Expr, ...]
    order: tuple[int, ...] = ()


class Member(Expr, frozen=True):
    """The part of the place `base` at `offset`: a tuple element, a struct's field, an array's constant element.

    A scalar type is loaded (from BPF memory plainly, else by a probe read at the base's address).
    `access` is the text of the access for the comment in the C ("task->comm").
    """

    base: Expr
    offset: int
    access: str = ""


class BitField(Expr, frozen=True):
    """`width` bits at `shift` of the little-endian integer of `storage` bytes at `offset` of the place."""

    base: Expr
    offset: int
    storage: int
    shift: int
    width: int
    access: str = ""


class Element(Expr, frozen=True):
    """`base[index]` of an array place with elements of `stride` bytes; index checked against `count` (0: unchecked)."""

    base: Expr
    index: Expr
    stride: int
    count: int


class Dereference(Expr, frozen=True):
    """What the pointer `address` points to, in `space`. A scalar is read; a memory type is a place there."""

    address: Expr
    space: AddressSpace


class AddressOf(Expr, frozen=True):
    """The address of a place as a pointer (`&$x`, `&@m`, or of a kernel place)."""

    place: Expr


class ContextLoad(Expr, frozen=True):
    """A load of the type's size at `offset` of the BPF context: tracepoint fields, raw arguments, iterator pointers."""

    offset: int
    bit_shift: int = 0
    bit_width: int = 0
    access: str = ""


class ContextPlace(Expr, frozen=True):
    """A memory type at `offset` of the context (an array or string field of a tracepoint record).

    data_loc: the u32 at `offset` says length << 16 | offset of the bytes.
    """

    offset: int
    data_loc: bool = False
    access: str = ""


class RegisterArgument(Expr, frozen=True):
    """argN of a kprobe, uprobe: N-th integer argument by the calling convention (from pt_regs)."""

    index: int


class RegisterNamed(Expr, frozen=True):
    """reg("ip"): `name` is the pt_regs field; retval of a kretprobe/uretprobe is the return register."""

    name: str


class UsdtValue(Expr, frozen=True):
    """argN of a USDT probe; when a program serves several places, one argument per attach cookie."""

    arguments: tuple[tuple[int, UsdtArgument], ...]  # (attach cookie, where); a single entry has cookie 0


class StackArgument(Expr, frozen=True):
    """sargN: the N-th word above the stack pointer, in user or kernel space."""

    index: int
    space: AddressSpace


class IntrinsicKind(Enum):
    """Values that a BPF helper or a short idiom gives. Arguments in brackets; [] of `constants` as noted."""

    PID = "pid"  # tgid in the agent's PID namespace
    TID = "tid"
    PID_HOST = "pid_host"  # tgid in the initial PID namespace
    TID_HOST = "tid_host"
    PID_INNER = "pid_inner"  # in the task's own (innermost) PID namespace
    TID_INNER = "tid_inner"
    UID = "uid"
    GID = "gid"
    COMM = "comm"  # StringType(16)
    PCOMM = "pcomm"
    LEADER_COMM = "leader_comm"
    UNWINDABLE = "unwindable"
    PPID = "ppid"
    CPU = "cpu"
    NUMA = "numaid"
    NSECS = "nsecs"  # constants clock: boot, monotonic, tai, sw_tai
    CHILD_PID = "child_pid"
    ELAPSED = "elapsed"  # nanoseconds since the session's start: start is in SCRATCH/constants map
    CURTASK = "curtask"
    CGROUP_ID = "cgroup"
    RANDOM = "rand"
    JIFFIES = "jiffies"
    CONTEXT = "ctx"  # the context pointer
    PROBE_ID = "probe"  # attach cookie or constant: constants id
    FUNC_ADDRESS = "func"  # bpf_get_func_ip; TaggedType KSYM or UsymType
    USER_MODE = "usermode"
    STACK = "stack"  # StackType of the node's type
    WORDS = "words"  # (integers): a struct made of them, 8 bytes each; of the last, as many as the struct still has
    USYM = "usym"  # (address) -> UsymType
    RETURN_VALUE = "retval"  # of fexit: constants offset; of *retprobe: register
    READ_STRING = "str"  # (address, length or nothing); constants space; type StringType
    READ_BUFFER = "buf"  # (address or place, length or nothing); constants space; type BufferType
    READ_KERNEL = "kptr"  # (address): the address itself, as a number; constants space says whose it is
    STRING_LENGTH = "strlen"  # (string)
    STRING_CONTAINS = "strcontains"  # (haystack, needle)
    STRING_INDEX = "strindex"
    STRING_CAT = "strcat"
    NTOP = "ntop"  # (address: int or array place) ; constants family (0: by size; or args[0] is the family)
    MAC = "macaddr"  # (place or pointer)
    BYTE_SWAP = "bswap"  # (integer) by its width
    CGROUP_ANCESTOR = "cgroup_ancestor"
    MAP_LENGTH = "len"  # constants map
    STACK_LENGTH = "stack_len"
    SIGNAL = "signal"  # (number); constants target: "process"/"thread"
    OVERRIDE = "override"  # (value)
    USER_ADDRESS = "uaddr"  # constants address (as linked), target (binary), symbol; type PointerType in user space
    PER_CPU_POINTER = "percpu_kaddr"  # (address, cpu or nothing)
    SOCKET_COOKIE = "socket_cookie"  # (pointer)
    PATH = "path"  # (pointer to struct path): StringType
    ATTACH_COOKIE = "attach_cookie"
    IS_CURRENT_UNDER = "in_scope"
    WRITE_USER = "write_user"  # (address, place or pointer to ours); constants length; whether it worked
    KFUNC = "kfunc"  # any arguments; constants name, id
    STRNCMP_DYNAMIC = "strncmp_dynamic"


class Intrinsic(Expr, frozen=True):
    kind: IntrinsicKind
    arguments: tuple[Expr, ...] = ()
    constants: dict[str, int | str] = field(default_factory=dict)


class SubprogramCall(Expr, frozen=True):
    """Call of Typed.subprograms[function]."""

    function: str
    arguments: tuple[Expr, ...]


# --- statements -------------------------------------------------------------------------------------------------


class Stmt(Struct, frozen=True):
    span: Span


class Evaluate(Stmt, frozen=True):
    """An expression for its effect."""

    value: Expr


class SetLocal(Stmt, frozen=True):
    """`value` has the local's type."""

    slot: int
    value: Expr


class SetMap(Stmt, frozen=True):
    """`@m[k] = v`: value converted to the map's value type."""

    map: str
    key: Expr | None
    value: Expr


class Aggregate(Stmt, frozen=True):
    """`@m[k] = count()` and friends, or an update of the map's own aggregate; kind and layout from `aggregate`.

    value: the argument (None for count()), already s64/u64 by `aggregate.signed`. repeat: hist/lhist's 3rd/5th
    argument: how often it counts (None: once). now: what a time series takes for the time (None: the boot clock).
    """

    map: str
    key: Expr | None
    aggregate: AggregateType
    value: Expr | None
    repeat: Expr | None = None
    now: Expr | None = None


class Store(Stmt, frozen=True):
    """Write through a pointer (unsafe programs), or into an element of a local array."""

    address: Expr
    value: Expr
    space: AddressSpace


class If(Stmt, frozen=True):
    condition: Expr
    then: tuple[Stmt, ...]
    otherwise: tuple[Stmt, ...]


class While(Stmt, frozen=True):
    condition: Expr
    body: tuple[Stmt, ...]


class ForRange(Stmt, frozen=True):
    """slot runs from start to end - 1; both are evaluated once. The slot's local is an integer."""

    slot: int
    start: Expr
    end: Expr
    body: tuple[Stmt, ...]


class ForMap(Stmt, frozen=True):
    """slot holds the tuple (key, value) of each entry. Order is the kernel's."""

    slot: int
    map: str
    body: tuple[Stmt, ...]


class Break(Stmt, frozen=True):
    pass


class Continue(Stmt, frozen=True):
    pass


class Return(Stmt, frozen=True):
    value: Expr | None


class Emit(Stmt, frozen=True):
    """Send event `event` (index into Typed.events) with the arguments' values at the offsets of its fields."""

    event: int
    arguments: tuple[Expr, ...]


# --- the program ------------------------------------------------------------------------------------------------


class LocalVariable(Struct, frozen=True):
    name: str
    type: Type


class TypedMap(Struct, frozen=True):
    """kind: the kernel map type that the analyser chose or the program declared."""

    name: str  # without the at sign
    key: Type | None
    value: Type
    kind: BpfMapKind
    max_entries: int
    merge: ScalarMerge = ScalarMerge.BY_NODE
    span: Span = Span(0, 0)


class TypedProbe(Struct, frozen=True):
    """One BPF program and the places where it is attached.

    scoped: the target predicate stands before the user's (set for task-context providers; begin, end, interval: no).
    context_space: what pointers read from the context point to by default (USER for uprobes and usdt).
    """

    index: int  # position of the source probe
    function: str  # C name: made by the compiler, never the user's text
    type: ProgramType
    attachments: tuple[Attachment, ...]
    predicate: Expr | None
    body: tuple[Stmt, ...]
    locals: tuple[LocalVariable, ...]
    scoped: bool
    text: str
    span: Span
    context_space: AddressSpace
    attach_btf_function: str = ""
    shared: str = ""  # the raw tracepoint that serves all attachments, system calls


class TypedSubprogram(Struct, frozen=True):
    name: str
    parameters: tuple[int, ...]  # slots
    locals: tuple[LocalVariable, ...]
    result: Type
    body: tuple[Stmt, ...]


class TypedProgram(Struct, frozen=True):
    maps: tuple[TypedMap, ...]
    events: tuple[EventSpec, ...]
    probes: tuple[TypedProbe, ...]
    subprograms: tuple[TypedSubprogram, ...]
    probe_names: tuple[str, ...]
    config: dict[str, int | str | bool]
    license: str = "GPL"
    layouts: dict[str, Layout] = field(default_factory=dict)  # of structs in events and maps, by StructType.name
    failures: dict[tuple[str, Span], int] = field(default_factory=dict)  # events of failing helpers, and where
    sources: tuple[Source, ...] = ()  # what spans point into: for the comments in the C and the line map
