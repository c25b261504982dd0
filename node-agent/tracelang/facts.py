"""What the compiler asks about the machine, as a Protocol: the language stays pure, the agent answers.

Everything is asked by name and answered lazily, so that a program pays only for what it uses. The agent's answers come
from BTF, tracefs, ELF and DWARF; tests answer from recorded tables.
"""

from __future__ import annotations

from collections.abc import Iterable

from tracelang.structs import Struct
from tracelang.types import EnumType, Type

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol
else:
    Protocol = object  # `typing` takes 3.5 ms to import, of every compilation


class Member(Struct, frozen=True):
    """A field of a struct or union; offsets from its start. Anonymous members are flattened by the answerer.

    bit_size 0: not a bit field; else the field is `bit_size` bits at `bit_offset` (from the struct's start, little
    endian), and `offset` is bit_offset // 8.
    data_loc: the field is a tracepoint __data_loc (u32: length << 16 | offset from the record).
    is_reference: a C++ reference: `type` is a pointer, and programs see what it points to.
    """

    name: str
    type: Type
    offset: int
    bit_offset: int = 0
    bit_size: int = 0
    data_loc: bool = False
    is_reference: bool = False


class Layout(Struct, frozen=True):
    """A struct or union: its members by name, in order."""

    name: str
    size: int
    members: dict[str, Member]


class Parameter(Struct, frozen=True):
    """`register`: the first of its integer registers (argN); `stack`: its first word on the stack (sargN); or -1.

    is_reference: as a Member's.
    """

    name: str
    type: Type
    register: int = -1
    stack: int = -1
    is_reference: bool = False


class Signature(Struct, frozen=True):
    """A function: of the kernel (BTF), a raw tracepoint's arguments, or of a binary (DWARF)."""

    name: str
    parameters: tuple[Parameter, ...]
    result: Type | None


class UsdtArgument(Struct, frozen=True):
    """One argument of a USDT probe: where it is and how wide.

    kind: "const", "register", "memory" (register + offset [+ index*scale]).
    """

    kind: str
    size: int  # 1, 2, 4, 8
    signed: bool
    constant: int = 0  # the value, or the displacement
    register: str = ""  # pt_regs field name: "ax", "di", "r12", "ip" ...
    index: str = ""
    scale: int = 1


class Location(Struct, frozen=True):
    """One place to attach that really exists, as a provider needs it.

    name: the full probe name as `probe` prints it ("tracepoint:syscalls:sys_enter_openat").
    target: what it is attached to: a binary's path as the agent opens it ("/proc/1/root/bin/sh"), a kernel
    module or category; function: symbol, event or tracepoint name.
    """

    name: str
    target: str = ""
    function: str = ""
    address: int = 0  # file offset of a uprobe; kernel address else
    offset: int = 0  # +offset inside the function
    semaphore: int = 0  # USDT reference counter's file offset
    usdt_arguments: tuple[UsdtArgument, ...] = ()
    module: str = ""
    pid: int = 0  # attach to this process only (0: all)
    system_call: int = -1  # the number of the call that a tracepoint is about


class Facts(Protocol):
    """Answers; None or an empty answer means that it doesn't exist here."""

    # types
    def struct(self, name: str) -> Layout | None:
        """By tag: "struct task_struct", "union foo"; typedef'd anonymous structs by typedef name."""

    def type_named(self, name: str) -> Type | None:
        """A typedef, "enum x", "struct x" or C base type ("unsigned long") as a Type."""

    def enum_value(self, name: str) -> tuple[int, EnumType] | None:
        """The value of a kernel enum constant."""

    def struct_names(self) -> Iterable[str]:
        """For did-you-mean."""

    # functions and events
    def tracepoint(self, category: str, event: str) -> Layout | None:
        """The record of a tracepoint as its format file states it, common fields included."""

    def kernel_function(self, name: str, module: str = "") -> Signature | None: ...

    def raw_tracepoint(self, name: str) -> Signature | None: ...

    def iterator(self, name: str) -> Layout | None:
        """The context of `iter:name` ("struct bpf_iter__task"): pointers by name."""

    def user_function(self, path: str, function: str) -> Signature | None:
        """From the binary's DWARF; None when it has none."""

    def has_user_types(self, path: str) -> bool:
        """Whether the binary has debugging information at all."""

    def user_struct(self, path: str, name: str) -> Layout | None: ...

    def user_type(self, path: str, name: str) -> Type | None: ...

    # what a probe pattern stands for; wildcards expanded; empty: nothing matches
    def locations(self, provider: str, parts: tuple[str, ...]) -> tuple[Location, ...]:
        """provider: the canonical name; parts: the provider's own fields after defaults were filled in."""

    def candidates(self, provider: str) -> Iterable[str]:
        """All names of a provider, for did-you-mean ("syscalls:sys_enter_open"...)."""

    def refusal(self, provider: str, parts: tuple[str, ...]) -> str:
        """Why `locations` is empty although the provider works here ("" when nothing has that name)."""

    def danger(self, provider: str, parts: tuple[str, ...]) -> str:
        """Why a place that is there must not be probed, as bpftrace says when it attaches ("" when it may)."""

    def unsupported(self, provider: str) -> str:
        """Why this kernel can't serve the provider ("types": tell its structs), one sentence ("" when it can)."""

    # machine
    def kernel_symbol(self, name: str) -> int | None:
        """kaddr()."""

    def user_symbol(self, path: str, name: str) -> tuple[int, int] | None:
        """uaddr(): (address, size)."""

    def kfunc(self, name: str) -> int | None:
        """The BTF id of a kernel function that BPF programs may call here."""

    def cgroup_id(self, path: str) -> int | None: ...

    def read_text(self, path: str) -> str | None:
        """A file of the user's: an #include or import; None when it can't be read."""

    def cpu_count(self) -> int: ...

    def helper(self, name: str) -> bool:
        """Whether the kernel has the BPF helper ("bpf_get_attach_cookie", "bpf_loop", ...)."""
