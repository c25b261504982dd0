"""The builtins: names that are values. One entry each: what it is, its type, how it is made, a line of doc.

Names that take arguments too (`pid(init)`, `kstack(3)`, `nsecs(tai)`) have a second entry among the functions.
"""

from __future__ import annotations

from collections.abc import Callable

from tracelang import ir
from tracelang.lowering.arguments import all_arguments, context, return_value
from tracelang.lowering.body import Body
from tracelang.lowering.convert import convert, text_constant
from tracelang.providers.base import ContextKind, Provider
from tracelang.source import Span
from tracelang.structs import Struct
from tracelang.types import (
    BOOL,
    U8,
    U32,
    U64,
    AddressSpace,
    PointerType,
    StackMode,
    StackType,
    StringType,
    StructType,
    TaggedType,
    TagKind,
    Type,
    UsymType,
)

COMM_SIZE = 16
DEFAULT_STACK_DEPTH = 127
Rule = Callable[[Body, Span], ir.Expr]


class Builtin(Struct, frozen=True):
    name: str
    lower: Rule
    doc: str
    extension: bool = False  # not upstream's: an enum constant of that name comes first


def _simple(kind: ir.IntrinsicKind, type_: Type, **constants: int | str) -> Rule:
    def lower(body: Body, span: Span) -> ir.Expr:
        return ir.Intrinsic(span, type_, kind, constants=dict(constants))

    return lower


def _tagged_cgroup(kind: TagKind) -> Rule:
    """A Kubernetes name: the cgroup id travels, the name is looked up when it is shown."""
    return _simple(ir.IntrinsicKind.CGROUP_ID, TaggedType(kind))


def _username(body: Body, span: Span) -> ir.Expr:
    return ir.Intrinsic(span, TaggedType(TagKind.USERNAME), ir.IntrinsicKind.UID)


def _curtask(body: Body, span: Span) -> ir.Expr:
    layout = body.analysis.types.layout("struct task_struct")
    target = StructType("struct task_struct", layout.size if layout else 0)
    return ir.Intrinsic(span, PointerType(target, AddressSpace.KERNEL), ir.IntrinsicKind.CURTASK)


def _probe(body: Body, span: Span) -> ir.Expr:
    """The name of the place: a constant, or the cookie when the program is attached at several."""
    if body.provider is None:
        return body.error(span, "The probe builtin can not be used in a function: it has no probe")
    type_ = TaggedType(TagKind.PROBE_NAME)
    if len(body.places) == 1:
        return ir.Intrinsic(span, type_, ir.IntrinsicKind.PROBE_ID, constants={"id": body.places[0].id})
    body.uses_cookie = True
    return ir.Intrinsic(span, type_, ir.IntrinsicKind.PROBE_ID)


def _probetype(body: Body, span: Span) -> ir.Expr:
    if body.provider is None:
        return body.error(span, "The probetype builtin can not be used in a function: it has no probe")
    return text_constant(span, body.provider.type_name)


def _func(body: Body, span: Span) -> ir.Expr:
    if body.provider is None or not body.provider.function_name:
        return body.error(span, f"The func builtin can not be used with '{body.kind}' probes")
    known = _known_function(body, span, body.provider)
    if known is not None:
        return known
    type_: Type = UsymType() if body.provider.user_symbols else TaggedType(TagKind.KSYM)
    return ir.Intrinsic(span, type_, ir.IntrinsicKind.FUNC_ADDRESS)


def _known_function(body: Body, span: Span, provider: Provider) -> ir.Expr | None:
    """The place's own function, where the kernel can't tell a program where it stands; None where it can."""
    if provider.name in ("kprobe", "uprobe", "usdt"):
        return None  # the instruction pointer is there
    if provider.user_symbols:
        run_context = body.facts.struct("struct bpf_trace_run_ctx")
        if run_context is not None and "is_uprobe" in run_context.members:
            return None  # since 6.7 (commit a3c485a5d8d4)
        body.per_place = True
        return text_constant(span, body.location.function)
    if body.facts.helper("bpf_get_func_ip"):
        return None
    body.per_place = True
    address = body.facts.kernel_symbol(body.location.function) or 0
    return convert(ir.Constant(span, U64, address), TaggedType(TagKind.KSYM))


_CHILD = "__child_pid"
"""Named option: set when -c is given."""


def _cpid(body: Body, span: Span) -> ir.Expr:
    """The process that -c started; the engine writes the number once it runs."""
    if _CHILD not in body.analysis.options.named:
        body.warn(span, "No child command (`-c`); cpid is zero")
        return ir.Constant(span, U32, 0)
    return ir.Intrinsic(span, U32, ir.IntrinsicKind.CHILD_PID)


def _has_cpid(body: Body, span: Span) -> ir.Expr:
    return ir.Constant(span, BOOL, int(_CHILD in body.analysis.options.named))


def _ncpus(body: Body, span: Span) -> ir.Expr:
    return ir.Constant(span, U64, body.facts.cpu_count())


def _usermode(body: Body, span: Span) -> ir.Expr:
    """From the registers where the probe has them; elsewhere known: the session's own events come from user mode."""
    provider = body.provider
    if provider is None:
        return body.error(span, "The usermode builtin can not be used in a function: it has no probe")
    if provider.context in (ContextKind.REGISTERS, ContextKind.PERF_EVENT):
        return ir.Intrinsic(span, U8, ir.IntrinsicKind.USER_MODE)
    return ir.Constant(span, U8, int(not provider.task_context))


def stack(
    body: Body, span: Span, *, user: bool, mode: StackMode, depth: int, constants: dict[str, int | str] | None = None
) -> ir.Expr:
    if len(body.places) > 1 and user:
        body.uses_cookie = True
    return ir.Intrinsic(span, StackType(user, mode, depth), ir.IntrinsicKind.STACK, constants=constants or {})


def default_stack_mode(body: Body, *, user: bool) -> StackMode:
    mode = StackMode(body.analysis.text("stack_mode"))
    return StackMode.RAW if mode is StackMode.BUILD_ID and not user else mode


def _stack(*, user: bool) -> Rule:
    def lower(body: Body, span: Span) -> ir.Expr:
        return stack(body, span, user=user, mode=default_stack_mode(body, user=user), depth=DEFAULT_STACK_DEPTH)

    return lower


def _node(body: Body, span: Span) -> ir.Expr:
    """The Kubernetes node's name; the agent gives it."""
    return text_constant(span, body.analysis.options.named.get("__node", ""))


_KIND = ir.IntrinsicKind
BUILTINS: dict[str, Builtin] = {
    builtin.name: builtin
    for builtin in (
        Builtin("pid", _simple(_KIND.PID, U32), "process ID, as the agent's PID namespace shows it"),
        Builtin("tid", _simple(_KIND.TID, U32), "thread ID, as the agent's PID namespace shows it"),
        Builtin("ppid", _simple(_KIND.PPID, U32), "process ID of the parent"),
        Builtin("uid", _simple(_KIND.UID, U64), "user ID"),
        Builtin("gid", _simple(_KIND.GID, U64), "group ID"),
        Builtin("username", _username, "name of the user"),
        Builtin("comm", _simple(_KIND.COMM, StringType(COMM_SIZE)), "name of the thread"),
        Builtin("pcomm", _simple(_KIND.PCOMM, StringType(COMM_SIZE)), "name of the parent process"),
        Builtin(
            "leader_comm", _simple(_KIND.LEADER_COMM, StringType(COMM_SIZE)), "name of the process: of its first thread"
        ),
        Builtin("cpu", _simple(_KIND.CPU, U64), "processor that the probe runs on"),
        Builtin("numaid", _simple(_KIND.NUMA, U32), "NUMA node that the probe runs on"),
        Builtin("ncpus", _ncpus, "number of processors"),
        Builtin("nsecs", _simple(_KIND.NSECS, U64, clock="boot"), "nanoseconds since boot, suspended time included"),
        Builtin("elapsed", _simple(_KIND.ELAPSED, U64), "nanoseconds since the program started"),
        Builtin("jiffies", _simple(_KIND.JIFFIES, U64), "the kernel's tick counter"),
        Builtin("rand", _simple(_KIND.RANDOM, U64), "a random number of 32 bits"),
        Builtin("cgroup", _simple(_KIND.CGROUP_ID, U64), "ID of the process's cgroup (version 2)"),
        Builtin("curtask", _curtask, "the kernel's task_struct of the thread"),
        Builtin("probe", _probe, "full name of the probe"),
        Builtin("probetype", _probetype, "type of the probe"),
        Builtin("func", _func, "function that the probe is in"),
        Builtin("args", all_arguments, "the probe's arguments by name"),
        Builtin("retval", return_value, "value that the function returns"),
        Builtin("ctx", context, "the BPF context"),
        Builtin("cpid", _cpid, "process that -c started"),
        Builtin("has_cpid", _has_cpid, "whether -c was given"),
        Builtin("usermode", _usermode, "1 when the processor was in user mode"),
        Builtin("kstack", _stack(user=False), "the kernel's stack"),
        Builtin("ustack", _stack(user=True), "the process's stack"),
        Builtin("pod", _tagged_cgroup(TagKind.POD), "Kubernetes pod of the process", extension=True),
        Builtin("container", _tagged_cgroup(TagKind.CONTAINER), "Kubernetes container of the process", extension=True),
        Builtin("namespace", _tagged_cgroup(TagKind.NAMESPACE), "Kubernetes namespace of the process", extension=True),
        Builtin(
            "workload", _tagged_cgroup(TagKind.WORKLOAD), "Deployment, StatefulSet ... of the process", extension=True
        ),
        Builtin("node", _node, "Kubernetes node", extension=True),
    )
}
