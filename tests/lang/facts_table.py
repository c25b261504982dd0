"""Facts from a table: a small machine with a few structs, tracepoints and a binary, so that types need no kernel."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase

from tracelang.facts import Layout, Location, Member, Parameter, Signature, UsdtArgument
from tracelang.types import (
    S8,
    S32,
    S64,
    U16,
    U32,
    U64,
    AddressSpace,
    ArrayType,
    EnumType,
    PointerType,
    StringType,
    StructType,
    Type,
)

NONE = AddressSpace.NONE
TASK = StructType("struct task_struct", 64)
TASK_POINTER = PointerType(TASK, NONE)
TEXT = PointerType(S8, NONE)
LIBRARY = "/lib/libshop.so"


def layout(name: str, size: int, *members: Member) -> Layout:
    return Layout(name, size, {member.name: member for member in members})


LAYOUTS = {
    item.name: item
    for item in (
        layout(
            "struct task_struct",
            64,
            Member("pid", S32, 0),
            Member("tgid", S32, 4),
            Member("comm", StringType(16), 8),
            Member("parent", TASK_POINTER, 24),
            Member("flag", U32, 32, bit_offset=259, bit_size=2),
            Member("slots", ArrayType(U16, 4), 40),
            Member("tasks", StructType("struct list_head", 16), 48),
        ),
        layout("struct list_head", 16, Member("next", PointerType(StructType("struct list_head", 16), NONE), 0)),
        layout("struct sock", 8, Member("port", U16, 0)),
        layout("struct pt_regs", 168, Member("ip", U64, 128)),
        layout("struct bpf_iter__task", 24, Member("task", TASK_POINTER, 8)),
    )
}
COMMON = (Member("common_type", U16, 0), Member("common_pid", S32, 4))
TRACEPOINTS = {
    ("syscalls", "sys_enter_open"): layout(
        "open", 40, *COMMON, Member("filename", TEXT, 16), Member("flags", S32, 24), Member("mode", U16, 32)
    ),
    ("syscalls", "sys_enter_openat"): layout(
        "openat", 48, *COMMON, Member("dfd", S64, 16), Member("filename", TEXT, 24), Member("flags", S32, 32)
    ),
    ("syscalls", "sys_enter_creat"): layout("creat", 32, *COMMON, Member("filename", TEXT, 16)),
    ("sched", "sched_switch"): layout(
        "sched_switch", 64, *COMMON, Member("prev_comm", StringType(16), 8), Member("next_pid", S32, 24)
    ),
    ("irq", "handler"): layout("handler", 24, *COMMON, Member("name", TEXT, 8, data_loc=True)),
}
COLORS = EnumType("enum color", 32, False, ((0, "RED"), (1, "GREEN")))
USDT = {
    "sale": (UsdtArgument("register", 8, False, register="di"), UsdtArgument("constant", 4, True, constant=5)),
    "refund": (UsdtArgument("register", 8, False, register="si"),),
}


class TableFacts:
    """Implements `tracelang.facts.Facts`. missing: providers that this kernel lacks; without: helpers."""

    def __init__(self, *, missing: dict[str, str] | None = None, without: frozenset[str] = frozenset()) -> None:
        self._missing = missing or {}
        self._without = without

    def struct(self, name: str) -> Layout | None:
        return LAYOUTS.get(name)

    def type_named(self, name: str) -> Type | None:
        if name in LAYOUTS:
            return StructType(name, LAYOUTS[name].size)
        return {"enum color": COLORS, "pid_t": S32}.get(name)

    def enum_value(self, name: str) -> tuple[int, EnumType] | None:
        return next(((value, COLORS) for value, known in COLORS.variants if known == name), None)

    def struct_names(self) -> Iterable[str]:
        return LAYOUTS

    def tracepoint(self, category: str, event: str) -> Layout | None:
        return TRACEPOINTS.get((category, event))

    def kernel_function(self, name: str, module: str = "") -> Signature | None:
        if name == "vfs_read":
            return Signature(name, (Parameter("task", TASK_POINTER), Parameter("count", U64)), S64)
        return None

    def raw_tracepoint(self, name: str) -> Signature | None:
        return Signature(name, (Parameter("regs", U64), Parameter("id", S64)), None) if name == "sys_enter" else None

    def iterator(self, name: str) -> Layout | None:
        return LAYOUTS.get(f"struct bpf_iter__{name}")

    def has_user_types(self, path: str) -> bool:
        return False

    def user_function(self, path: str, function: str) -> Signature | None:
        if function == "buy":
            return Signature(function, (Parameter("name", TEXT, 0), Parameter("count", S32, 1)), S32)
        return None

    def user_struct(self, path: str, name: str) -> Layout | None:
        return None

    def user_type(self, path: str, name: str) -> Type | None:
        return None

    def locations(self, provider: str, parts: tuple[str, ...]) -> tuple[Location, ...]:
        match provider:
            case "tracepoint":
                return tuple(
                    Location(f"tracepoint:{category}:{event}", target=category, function=event)
                    for category, event in TRACEPOINTS
                    if fnmatchcase(category, parts[0]) and fnmatchcase(event, parts[1])
                )
            case "uprobe" | "uretprobe":
                return tuple(
                    Location(f"{provider}:{parts[0]}:{name}", target=parts[0], function=name)
                    for name in ("buy", "sell", "main")
                    if fnmatchcase(name, parts[1]) and parts[0] == LIBRARY
                )
            case "usdt":
                return tuple(
                    Location(f"usdt:{parts[0]}:shop:{name}", target=parts[0], function=name, usdt_arguments=given)
                    for name, given in USDT.items()
                    if fnmatchcase(name, parts[2]) and parts[0] == LIBRARY
                )
            case "kprobe" | "kretprobe" | "fentry" | "fexit":
                known = [name for name in ("vfs_read", "vfs_write") if fnmatchcase(name, parts[1])]
                return tuple(Location(f"{provider}:{name}", function=name) for name in known)
            case "rawtracepoint" if parts[1] == "sys_enter":
                return (Location("rawtracepoint:sys_enter", function="sys_enter"),)
            case "iter" if parts[0] == "task":
                return (Location("iter:task", function="task"),)
        return ()

    def danger(self, provider: str, parts: tuple[str, ...]) -> str:
        return ""

    def refusal(self, provider: str, parts: tuple[str, ...]) -> str:
        if provider in ("uprobe", "uretprobe", "usdt") and parts[0] != LIBRARY:
            return f"{provider} target file '{parts[0]}' does not exist or is not executable"
        return ""

    def candidates(self, provider: str) -> Iterable[str]:
        if provider == "tracepoint":
            return [f"{category}:{event}" for category, event in TRACEPOINTS]
        return ["vfs_read", "vfs_write"] if provider in ("kprobe", "fentry") else ()

    def unsupported(self, provider: str) -> str:
        return self._missing.get(provider, "")

    def kernel_symbol(self, name: str) -> int | None:
        return 0xFFFFFFFF81000000 if name == "_text" else None

    def user_symbol(self, path: str, name: str) -> tuple[int, int] | None:
        return (0x4000, 4) if name == "counter" else None

    def kfunc(self, name: str) -> int | None:
        return None

    def cgroup_id(self, path: str) -> int | None:
        return 77 if path in ("/sys/fs/cgroup", "/sys/fs/cgroup/shop") else None

    def read_text(self, path: str) -> str | None:
        return None

    def cpu_count(self) -> int:
        return 4

    def helper(self, name: str) -> bool:
        return name not in self._without
