"""The types of the language, as values: what an expression is, how many bytes it takes, how it is shown.

Scalars (integers, booleans, enums, pointers, and the *tagged scalars* that only differ in how they are printed)
live in BPF registers. Memory types (strings, buffers, arrays, structs, tuples, stacks...) live behind an address.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum

from tracelang.structs import Struct


class AddressSpace(Enum):
    """Where an address points, so that reads use the right helper."""

    NONE = "none"  # not known: kernel context decides (kernel for kernel probes, user for uprobes)
    BPF = "bpf"  # the program's own stack, scratch buffer or map value: plain loads work
    KERNEL = "kernel"
    USER = "user"
    CONTEXT = "context"  # the BPF context of the program: loads at constant offsets only


class Type(Struct, frozen=True):
    """Base of all types."""


class NoneType(Type, frozen=True):
    """Of a call that gives no value."""


class VoidType(Type, frozen=True):
    """Only behind a pointer."""


class IntType(Type, frozen=True):
    bits: int  # 8, 16, 32, 64
    signed: bool


class FloatType(IntType, frozen=True):
    """`float`, `double`, which BPF has not: read alone it is its bytes, as a number; inside a struct it prints null."""


class BoolType(Type, frozen=True):
    pass


class EnumType(Type, frozen=True):
    """A C enum; the names of its values are found by name in `KernelFacts.enum` or the program's own definitions."""

    name: str
    bits: int
    signed: bool
    variants: tuple[tuple[int, str], ...] = ()  # (value, name), for printing


class PointerType(Type, frozen=True):
    target: Type
    space: AddressSpace


class StringType(Type, frozen=True):
    """NUL-terminated bytes in a field of `size` bytes, the NUL included. `size` 0: not yet known."""

    size: int


class BufferType(Type, frozen=True):
    """`buf()`: u32 length, then up to `size` bytes."""

    size: int


class ArrayType(Type, frozen=True):
    element: Type
    count: int  # 0: flexible array member


class StructType(Type, frozen=True):
    """A C struct or union by its tag ("struct task_struct"); its fields come from `facts` by that name."""

    name: str
    size: int


class TupleType(Type, frozen=True):
    elements: tuple[Type, ...]


class RecordType(Type, frozen=True):
    """A tuple with names: `(x=1, y="a")`."""

    fields: tuple[tuple[str, Type], ...]


class StackMode(Enum):
    BPFTRACE = "bpftrace"
    PERF = "perf"
    RAW = "raw"
    BUILD_ID = "build_id"


class StackType(Type, frozen=True):
    """A stack key: {s64 stack id (negative: errno), u32 pid, u32 probe id}. See `layout.STACK_KEY`."""

    user: bool
    mode: StackMode
    depth: int


class TimestampType(Type, frozen=True):
    """A u64 of nanoseconds with the clock it came from and, after strftime(), the format it is shown in."""

    clock: str  # "boot", "monotonic", "tai", "sw_tai", "real"
    format: str = ""


class TagKind(Enum):
    """Tagged scalars: a u64 that user space shows as something else."""

    KSYM = "ksym"
    PROBE_NAME = "probe"  # id into Plan.probe_names
    CGROUP_PATH = "cgroup_path"  # cgroup id
    STRERROR = "strerror"
    USERNAME = "username"
    SYSCALL_NAME = "syscall_name"
    SIGNAL_NAME = "signal_name"
    COMM_OF = "comm"  # name of the process with that number
    POD = "pod"  # Kubernetes names of the event's cgroup id
    CONTAINER = "container"
    NAMESPACE = "namespace"
    WORKLOAD = "workload"


class TaggedType(Type, frozen=True):
    kind: TagKind


class UsymType(Type, frozen=True):
    """{u64 address, u32 pid, u32 probe id}: 16 bytes."""


class InetType(Type, frozen=True):
    """`ntop()`: {u64 family, u8 address[16]}: 24 bytes."""


class MacType(Type, frozen=True):
    """`macaddr()`: 6 bytes."""


class Aggregation(Enum):
    COUNT = "count"
    SUM = "sum"
    MIN = "min"
    MAX = "max"
    AVG = "avg"
    STATS = "stats"
    HIST = "hist"
    LHIST = "lhist"
    TSERIES = "tseries"


class AggregateType(Type, frozen=True):
    """The value of a map written by a map function; merged over CPUs, targets and nodes by its own rule.

    parameters: hist -> (bits,); lhist -> (min, max, step); tseries -> (interval_ns, num_intervals); else ().
    `inner` is the aggregation inside a tseries ("avg", ...; None: latest value).
    """

    kind: Aggregation
    signed: bool = False
    parameters: tuple[int, ...] = ()
    inner: Aggregation | None = None


U8, U16, U32, U64 = (IntType(bits, signed=False) for bits in (8, 16, 32, 64))
S8, S16, S32, S64 = (IntType(bits, signed=True) for bits in (8, 16, 32, 64))
BOOL = BoolType()
NONE = NoneType()
VOID = VoidType()

STACK_KEY_SIZE = 16
USYM_SIZE = 16
INET_SIZE = 24
MAC_SIZE = 6
AVERAGE_SIZE = 16  # {s64 or u64 sum, u64 count}
MIN_MAX_SIZE = 16  # {s64 or u64 value, u64 is_set}
STATS_SIZE = 16  # as an average


def align_up(offset: int, alignment: int) -> int:
    return (offset + alignment - 1) // alignment * alignment


def is_scalar(type_: Type) -> bool:
    """Whether a value of this type lives in one BPF register."""
    return isinstance(type_, IntType | BoolType | EnumType | PointerType | TimestampType | TaggedType)


def is_integer(type_: Type) -> bool:
    return isinstance(type_, IntType | BoolType | EnumType)


def size_of(type_: Type) -> int:
    """Bytes that a value takes in memory: in an event, a map key, a map value or a tuple.

    Aggregates are sized as their value for one key on one CPU; histograms and time series by bucket count.
    """
    match type_:
        case NoneType() | VoidType():
            return 0
        case IntType(bits=bits) | EnumType(bits=bits):
            return bits // 8
        case BoolType():
            return 1
        case PointerType() | TimestampType() | TaggedType():
            return 8
        case StringType(size=size):
            return size
        case BufferType(size=size):
            return 4 + size
        case ArrayType(element=element, count=count):
            return size_of(element) * count
        case StructType(size=size):
            return size
        case TupleType(elements=elements):
            return tuple_layout(elements)[1]
        case RecordType(fields=fields):
            return tuple_layout(tuple(item for _, item in fields))[1]
        case StackType():
            return STACK_KEY_SIZE
        case UsymType():
            return USYM_SIZE
        case InetType():
            return INET_SIZE
        case MacType():
            return MAC_SIZE
        case AggregateType():
            return _aggregate_size(type_)
    raise TypeError(f"no size for {type_!r}")


def align_of(type_: Type) -> int:
    """Alignment in bytes inside tuples, events and keys."""
    match type_:
        case IntType(bits=bits) | EnumType(bits=bits):
            return bits // 8
        case PointerType() | TimestampType() | TaggedType() | StackType() | UsymType() | InetType() | AggregateType():
            return 8
        case BufferType():
            return 4
        case ArrayType(element=element):
            return align_of(element)
        case StructType():
            return 8
        case TupleType(elements=elements):
            return max((align_of(element) for element in elements), default=1)
        case RecordType(fields=fields):
            return max((align_of(item) for _, item in fields), default=1)
    return 1


def tuple_layout(elements: tuple[Type, ...]) -> tuple[tuple[int, ...], int]:
    """Offsets of the elements, and the size of the whole with C's padding."""
    offsets = []
    offset = 0
    alignment = 1
    for element in elements:
        alignment = max(alignment, align_of(element))
        offset = align_up(offset, align_of(element))
        offsets.append(offset)
        offset += size_of(element)
    return tuple(offsets), align_up(offset, alignment)


def hist_buckets(bits: int) -> int:
    """Slots of `hist(x, bits)`: one for negatives, one for zero, then 2^bits per power of two (as upstream counts)."""
    return (64 - bits + 1) * (1 << bits) + 1 if bits else 66


def lhist_buckets(minimum: int, maximum: int, step: int) -> int:
    """Slots of `lhist`: below `minimum`, one per step, and from `maximum` on."""
    return (maximum - minimum + step - 1) // step + 2


def _aggregate_size(type_: AggregateType) -> int:
    match type_.kind:
        case Aggregation.COUNT | Aggregation.SUM:
            return 8
        case Aggregation.MIN | Aggregation.MAX:
            return MIN_MAX_SIZE
        case Aggregation.AVG | Aggregation.STATS:
            return AVERAGE_SIZE
        case Aggregation.HIST:
            return 8 * hist_buckets(type_.parameters[0])
        case Aggregation.LHIST:
            return 8 * lhist_buckets(*type_.parameters)
        case Aggregation.TSERIES:
            # Per interval: {value, meta/count, epoch}: see codegen's tseries template.
            return 24 * type_.parameters[1]


TypePrinter = Callable[[Type], str]


def name_of(type_: Type) -> str:
    """The type as diagnostics and `check` show it, in the language's own spelling."""
    match type_:
        case NoneType():
            return "none"
        case VoidType():
            return "void"
        case IntType(bits=bits, signed=signed):
            return f"{'' if signed else 'u'}int{bits}"
        case BoolType():
            return "bool"
        case EnumType(name=name):
            return name
        case PointerType(target=target):
            return f"{name_of(target)} *"
        case StringType(size=size):
            return f"string[{size}]" if size else "string"
        case BufferType(size=size):
            return f"buf[{size}]"
        case ArrayType():
            sizes = ""
            while isinstance(type_, ArrayType):
                sizes += f"[{type_.count}]"  # the outermost comes first, as in C
                type_ = type_.element
            return f"{name_of(type_)}{sizes}"
        case StructType(name=name):
            return name
        case TupleType(elements=elements):
            return f"({','.join(name_of(element) for element in elements)})"
        case RecordType(fields=fields):
            return f"({','.join(f'{name}={name_of(item)}' for name, item in fields)})"
        case StackType(user=user, mode=mode, depth=depth):
            return f"{'u' if user else 'k'}stack_{mode.value}_{depth}"
        case TimestampType():
            return "timestamp"
        case TaggedType(kind=kind):
            return kind.value
        case UsymType():
            return "usym"
        case InetType():
            return "inet"
        case MacType():
            return "mac_address"
        case AggregateType(kind=kind, signed=signed):
            unsigned = "" if signed or kind in (Aggregation.HIST, Aggregation.LHIST, Aggregation.COUNT) else "u"
            return f"{unsigned}{kind.value}_t"
    return type(type_).__name__
