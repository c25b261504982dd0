"""Functions on tasks and processes: pid, tid, comm, pcomm, ppid of one's own or another; signals; override."""

from __future__ import annotations

from tracelang import ir, nodes
from tracelang.builtins import BUILTINS
from tracelang.functions.common import arguments, literal_text, only_supports
from tracelang.functions.output import emit
from tracelang.functions.table import Function, Rule
from tracelang.known_constants import SIGNALS
from tracelang.lowering.access import field_of
from tracelang.lowering.body import Body, effect, missing
from tracelang.lowering.convert import constant_number, constant_text, convert
from tracelang.plan import EventKind
from tracelang.suggest import did_you_mean
from tracelang.type_rules import UnresolvedType, base_name
from tracelang.types import S64, U32, U64, PointerType, StructType, TaggedType, TagKind, is_integer

MAX_SIGNAL = 64
_KIND = ir.IntrinsicKind
PID_KINDS = {
    ("pid", "curr_ns"): _KIND.PID,
    ("pid", "init"): _KIND.PID_HOST,
    ("tid", "curr_ns"): _KIND.TID,
    ("tid", "init"): _KIND.TID_HOST,
    ("pid", "inner"): _KIND.PID_INNER,
    ("tid", "inner"): _KIND.TID_INNER,
}


def _pid(body: Body, call: nodes.Call) -> ir.Expr:
    mode = call.arguments[0]
    kind = PID_KINDS.get((call.name, mode.name)) if isinstance(mode, nodes.Identifier) else None
    if kind is None:
        shown = mode.name if isinstance(mode, nodes.Identifier) else "an expression"
        return body.error(mode.span, f"Invalid PID namespace mode: {shown} (expects: curr_ns or init)")
    return ir.Intrinsic(call.span, U32, kind)


def _task_field(path: tuple[str, ...]) -> Rule:
    """A field of the task that is given."""

    def lower(body: Body, call: nodes.Call) -> ir.Expr:
        values = arguments(body, call)
        if values is None:
            return missing(call.span)
        value = values[0]
        target = value.type.target if isinstance(value.type, PointerType) else None
        if not isinstance(target, StructType) or target.name != "struct task_struct":
            return body.error(
                value.span,
                f"{call.name}() only supports 'struct task_struct *' as the argument "
                f"({base_name(value.type)} provided)",
            )
        for name in path:
            value = field_of(body, value, name, call.span)
        return convert(value, U32) if call.name == "ppid" else value

    return lower


def _comm_of(body: Body, call: nodes.Call) -> ir.Expr:
    """The name of another process, by its number: looked up when it is shown."""
    values = arguments(body, call)
    if values is None:
        return missing(call.span)
    if not is_integer(values[0].type):
        return only_supports(body, call, "int", values[0])
    return convert(convert(values[0], U64), TaggedType(TagKind.COMM_OF))


def _signal(body: Body, call: nodes.Call) -> ir.Expr:
    if body.provider is None or not body.provider.may_signal:
        return body.error(call.span, f"{call.name}() can not be used for this probetype {body.kind}")
    value = body.lower(body, call.arguments[0])
    if isinstance(value.type, UnresolvedType):
        return missing(call.span)
    text, number = constant_text(value), constant_number(value)
    if text is not None:
        number = signal_number(text)
        if number is None:
            return body.error(value.span, f"Invalid string for signal: {text}", did_you_mean(text, SIGNALS))
        value = ir.Constant(value.span, U32, number)
    elif not is_integer(value.type):
        return body.error(value.span, f"{call.name}() accepts a string literal or an integer")
    elif number is not None and not 1 <= number <= MAX_SIGNAL:
        return body.error(
            value.span,
            f"{call.name}() accepts a string literal or an integer between 1 and 64 (inclusive)",
        )
    target = "thread" if call.name == "signal_thread" else "process"
    sent = ir.Intrinsic(call.span, S64, _KIND.SIGNAL, (convert(value, U32),), {"target": target})
    return effect(call.span, ir.Evaluate(call.span, sent))


def signal_number(name: str) -> int | None:
    """SIGKILL or KILL, as a number."""
    full = name if name.startswith("SIG") else f"SIG{name}"
    return SIGNALS.get(full)


def _override(body: Body, call: nodes.Call) -> ir.Expr:
    if body.provider is None or not body.provider.may_override:
        return body.error(call.span, f"override can only be used with 'kprobe' probes ('{body.kind}' used here)")
    values = arguments(body, call)
    if values is None:
        return missing(call.span)
    if not is_integer(values[0].type):
        return only_supports(body, call, "int", values[0])
    done = ir.Intrinsic(call.span, S64, _KIND.OVERRIDE, (convert(values[0], U64),))
    return effect(call.span, ir.Evaluate(call.span, done))


def _skboutput(body: Body, call: nodes.Call) -> ir.Expr:
    path = literal_text(body, call, 0)
    rest = [body.lower(body, argument) for argument in call.arguments[1:]]
    if path is None or any(isinstance(value.type, UnresolvedType) for value in rest):
        return missing(call.span)
    if not isinstance(rest[0].type, PointerType):
        return only_supports(body, call, "pointer", rest[0])
    values = [convert(value, U64) for value in rest]
    sent = emit(body, call, EventKind.SKB_OUTPUT, values, text=path)
    assert isinstance(sent, ir.Sequence)
    return ir.Sequence(call.span, U32, sent.statements, ir.Constant(call.span, U32, 0))


def or_builtin(rule: Rule) -> Rule:
    """Without arguments the builtin of that name, else `rule`."""

    def lower(body: Body, call: nodes.Call) -> ir.Expr:
        return rule(body, call) if call.arguments else BUILTINS[call.name].lower(body, call.span)

    return lower


TASKS = (
    Function("pid", "pid(curr_ns or init)", 0, 1, or_builtin(_pid), "process ID"),
    Function("tid", "tid(curr_ns or init)", 0, 1, or_builtin(_pid), "thread ID"),
    Function("comm", "comm(pid)", 0, 1, or_builtin(_comm_of), "name of a process"),
    Function("pcomm", "pcomm(task)", 0, 1, or_builtin(_task_field(("real_parent", "comm"))), "name of a task's parent"),
    Function(
        "leader_comm",
        "leader_comm(task)",
        0,
        1,
        or_builtin(_task_field(("group_leader", "comm"))),
        "name of a task's process",
    ),
    Function("ppid", "ppid(task)", 0, 1, or_builtin(_task_field(("real_parent", "tgid"))), "parent of a task"),
    Function("signal", "signal(number or name)", 1, 1, _signal, "send a signal to the process", unsafe=True),
    Function("signal_thread", "signal_thread(number or name)", 1, 1, _signal, "send one to the thread", unsafe=True),
    Function("override", "override(value)", 1, 1, _override, "return from the function at once", unsafe=True),
    Function("skboutput", "skboutput(path, skb, length, offset)", 4, 4, _skboutput, "write a packet to a pcap file"),
)
