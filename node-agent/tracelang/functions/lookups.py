"""Functions that look something up: symbols, stacks, addresses, cgroups, the network, time."""

from __future__ import annotations

from tracelang import ir, nodes
from tracelang.builtins import DEFAULT_STACK_DEPTH, default_stack_mode, stack
from tracelang.functions.common import arguments, literal_text, only_supports
from tracelang.functions.table import Function, Rule
from tracelang.kernel_helpers import lack
from tracelang.lowering.body import Body, missing
from tracelang.lowering.convert import constant_number, convert
from tracelang.lowering.unstable import may_use
from tracelang.lowering.warnings import warn_when_run
from tracelang.source import Span
from tracelang.type_rules import UnresolvedType, base_name
from tracelang.types import (
    BOOL,
    S64,
    U8,
    U32,
    U64,
    AddressSpace,
    ArrayType,
    InetType,
    IntType,
    PointerType,
    StackMode,
    StringType,
    TaggedType,
    TagKind,
    TimestampType,
    UsymType,
    is_integer,
    size_of,
)
from tracelang.unwinding import AVAILABLE

CLOCKS = ("monotonic", "boot", "tai", "sw_tai")
MAX_STACK_DEPTH = 1024
AF_INET, AF_INET6 = 2, 10
_KIND = ir.IntrinsicKind


# --- symbols and stacks


def _ksym(body: Body, call: nodes.Call) -> ir.Expr:
    values = arguments(body, call)
    if values is None:
        return missing(call.span)
    if not isinstance(values[0].type, IntType | PointerType):
        return body.error(values[0].span, f"{call.name}() expects an integer or pointer argument")
    if call.name == "ksym":
        return convert(convert(values[0], U64), TaggedType(TagKind.KSYM))
    if len(body.places) > 1:
        body.uses_cookie = True
    return ir.Intrinsic(call.span, UsymType(), _KIND.USYM, (convert(values[0], U64),))


def _stack(*, user: bool) -> Rule:
    """`kstack(mode, depth)`, either alone, in this order."""

    def lower(body: Body, call: nodes.Call) -> ir.Expr:
        mode = default_stack_mode(body, user=user)
        depth = DEFAULT_STACK_DEPTH
        rest = list(call.arguments)
        if rest and isinstance(rest[0], nodes.Identifier):
            name = rest.pop(0)
            assert isinstance(name, nodes.Identifier)
            if name.name not in {item.value for item in StackMode}:
                return body.error(
                    name.span,
                    f"Error parsing stack mode: {call.name}: Invalid value for stack_mode: "
                    "valid values are bpftrace, raw, perf, and build_id.",
                )
            mode = StackMode(name.name)
            if mode is StackMode.BUILD_ID and not user:
                return body.error(name.span, "'build_id' stack mode can only be used for ustack")
        if rest:
            limit = body.lower(body, rest.pop(0))
            number = constant_number(limit)
            if number is None or isinstance(limit.type, UnresolvedType) or not is_integer(limit.type):
                return body.error(call.span, f"{call.name}: invalid limit value", "it has to be a literal number")
            if number < 0:
                return body.error(call.span, f"{call.name}: invalid limit value", "it can't be negative")
            if not 0 < number <= MAX_STACK_DEPTH:
                return body.error(
                    call.span, f"{call.name}([int limit]): limit shouldn't exceed {MAX_STACK_DEPTH}, {number} given"
                )
            depth = number
        if rest:
            return body.error(call.span, f"{call.name}() expects a stack mode and then a limit")
        if call.name == "dw_ustack":
            return _unwound(body, call.span, mode=mode, depth=depth)
        return stack(body, call.span, user=user, mode=mode, depth=depth)

    return lower


def _unwound(body: Body, span: Span, *, mode: StackMode, depth: int) -> ir.Expr:
    """The process's stack by its call frame information, which the engine has of processes that it was told of."""
    if not may_use(body, span, "dw_ustack"):
        return missing(span)
    refusal = lack(body.facts, "bpf_loop", what="dw_ustack()")
    if refusal:
        return body.error(span, refusal)
    if AVAILABLE not in body.analysis.options.named:
        return body.error(
            span,
            "dw_ustack requires a target process. Use -p, -c, or --dwarf-pid to specify one.",
            "only tracejob-bpftrace has it",
        )
    told = warn_when_run(body, span, "No DWARF unwind data available for this process.")
    frames = stack(body, span, user=True, mode=mode, depth=depth, constants={"unwind": 1})
    if not told:
        return frames
    known = ir.Intrinsic(span, BOOL, _KIND.UNWINDABLE)
    return ir.Sequence(span, frames.type, (ir.If(span, known, (), told),), frames)


def _kaddr(body: Body, call: nodes.Call) -> ir.Expr:
    name = literal_text(body, call, 0)
    if name is None:
        return missing(call.span)
    found = body.facts.kernel_symbol(name)
    if not found:
        return body.error(call.span, f"Failed to resolve kernel symbol: {name}")
    number = ir.Constant(call.span, U64, found)
    return ir.Intrinsic(call.span, U64, _KIND.READ_KERNEL, (number,), {"space": AddressSpace.KERNEL.value})


def _uaddr(body: Body, call: nodes.Call) -> ir.Expr:
    name = literal_text(body, call, 0)
    if name is None:
        return missing(call.span)
    if body.provider is None or not body.provider.user_symbols:
        return body.error(call.span, f"uaddr can not be used with '{body.kind}' probes: it looks into a binary")
    found = body.facts.user_symbol(body.location.target, name)
    if found is None:
        return body.error(call.span, f"Could not resolve symbol: {body.location.target}:{name}")
    where, size = found
    body.per_place = True
    width = 8 * size if size in (1, 2, 4, 8) else 64
    type_ = PointerType(IntType(width, signed=False), AddressSpace.USER)
    constants: dict[str, int | str] = {"address": where, "target": body.location.target, "symbol": name}
    return ir.Intrinsic(call.span, type_, _KIND.USER_ADDRESS, constants=constants)


def _percpu_kaddr(body: Body, call: nodes.Call) -> ir.Expr:
    name = literal_text(body, call, 0)
    if name is None:
        return missing(call.span)
    where = body.facts.kernel_symbol(name)
    if where is None:
        return body.error(call.span, f'Could not resolve variable "{name}" from BTF')
    operands: tuple[ir.Expr, ...] = (ir.Constant(call.span, U64, where),)
    if len(call.arguments) > 1:
        cpu = body.lower(body, call.arguments[1])
        if not is_integer(cpu.type):
            return missing(call.span) if isinstance(cpu.type, UnresolvedType) else only_supports(body, call, "int", cpu)
        operands = (*operands, convert(cpu, U32))
    constants: dict[str, int | str] = {"symbol": name, "address_space": AddressSpace.KERNEL.value}
    return ir.Intrinsic(call.span, U64, _KIND.PER_CPU_POINTER, operands, constants)


# --- cgroups


def _cgroupid(body: Body, call: nodes.Call) -> ir.Expr:
    path = literal_text(body, call, 0)
    if path is None:
        return missing(call.span)
    number = body.facts.cgroup_id(path)
    if number is None:
        return body.error(call.span, f"cgroupid(): there is no cgroup at {path!r}")
    return ir.Constant(call.span, U64, number)


def _cgroup_path(body: Body, call: nodes.Call) -> ir.Expr:
    values = arguments(body, call)
    if values is None:
        return missing(call.span)
    if not is_integer(values[0].type):
        return only_supports(body, call, "int", values[0])
    if len(values) > 1 and literal_text(body, call, 1) is None:
        return missing(call.span)
    return convert(convert(values[0], U64), TaggedType(TagKind.CGROUP_PATH))


# --- network


def _ntop(body: Body, call: nodes.Call) -> ir.Expr:
    """The family goes by the size unless it is given."""
    values = arguments(body, call)
    if values is None:
        return missing(call.span)
    family = values[0] if len(values) == 2 else None
    value = values[-1]
    if family is not None and not is_integer(family.type):
        return only_supports(body, call, "int", family)
    if isinstance(value.type, ArrayType | StringType):
        size = size_of(value.type)
        if size not in (4, 16):
            return body.error(value.span, "ntop() argument must be 4 or 16 bytes in size")
        default = AF_INET if size == 4 else AF_INET6
    elif is_integer(value.type):
        default = AF_INET
        value = convert(value, U32)
    elif isinstance(value.type, PointerType):
        default = AF_INET
    else:
        return body.error(value.span, f"ntop() expects an integer or array argument, got {base_name(value.type)}")
    operands = (value,) if family is None else (convert(family, S64), value)
    return ir.Intrinsic(call.span, InetType(), _KIND.NTOP, operands, {"family": 0 if family is not None else default})


def _pton(body: Body, call: nodes.Call) -> ir.Expr:
    from ipaddress import AddressValueError, IPv4Address, IPv6Address  # few programs need it

    text = literal_text(body, call, 0)
    if text is None:
        return missing(call.span)
    try:
        packed = IPv6Address(text).packed if ":" in text else IPv4Address(text).packed
    except AddressValueError:
        if "." not in text and ":" not in text:
            return body.error(call.span, f"pton() expects an string argument of an IPv4/IPv6 address, got {text}")
        return body.error(call.span, f"pton() expects a valid IPv4/IPv6 address, got {text}")
    if len(packed) == 4:
        number = ir.Constant(call.span, U32, int.from_bytes(packed, "little"))
        return ir.Convert(call.span, ArrayType(U8, 4), number)
    return ir.ArrayConstant(call.span, ArrayType(U8, len(packed)), packed)


# --- time


def _nsecs(body: Body, call: nodes.Call) -> ir.Expr:
    clock = "boot"
    if call.arguments:
        mode = call.arguments[0]
        if not isinstance(mode, nodes.Identifier) or mode.name not in CLOCKS:
            name = mode.name if isinstance(mode, nodes.Identifier) else "that"
            return body.error(mode.span, f"Invalid timestamp mode: {name}", "use monotonic, boot, tai or sw_tai")
        clock = mode.name
        if clock == "tai" and not body.facts.helper("bpf_ktime_get_tai_ns"):
            return body.error(call.span, "Kernel does not support tai timestamp, please try sw_tai")
    return ir.Intrinsic(call.span, U64, _KIND.NSECS, constants={"clock": clock})


def clock_of(value: ir.Expr) -> str:
    """The clock that a number came from, as far as the expression shows."""
    match value:
        case ir.Intrinsic(kind=ir.IntrinsicKind.NSECS, constants=constants):
            return str(constants["clock"])
        case ir.Convert(operand=operand):
            return clock_of(operand)
        case ir.Arithmetic(left=left, right=right):
            clock = clock_of(left)
            return clock if clock != "boot" else clock_of(right)
    return "boot"


def _strftime(body: Body, call: nodes.Call) -> ir.Expr:
    text = literal_text(body, call, 0)
    value = body.lower(body, call.arguments[1])
    if text is None or isinstance(value.type, UnresolvedType):
        return missing(call.span)
    if not is_integer(value.type):
        return only_supports(body, call, "int", value)
    clock = clock_of(value)
    if clock == "monotonic":
        return body.error(call.span, "strftime() can not take a monotonic timestamp", "use nsecs or nsecs(tai)")
    return convert(convert(value, U64), TimestampType(clock, text))


def _has_kfunc(body: Body, call: nodes.Call) -> ir.Expr:
    name = literal_text(body, call, 0)
    if name is None:
        return missing(call.span)
    return ir.Constant(call.span, BOOL, int(body.facts.kfunc(name) is not None))


LOOKUPS = (
    Function("ksym", "ksym(address)", 1, 1, _ksym, "name of a kernel function"),
    Function("usym", "usym(address)", 1, 1, _ksym, "name of a function of the process"),
    Function("kstack", "kstack(mode, depth)", 0, 2, _stack(user=False), "the kernel's stack"),
    Function("ustack", "ustack(mode, depth)", 0, 2, _stack(user=True), "the process's stack"),
    Function(
        "dw_ustack", "dw_ustack(mode, depth)", 0, 2, _stack(user=True), "the process's stack, without frame pointers"
    ),
    Function("kaddr", 'kaddr("symbol")', 1, 1, _kaddr, "address of a kernel symbol"),
    Function("uaddr", 'uaddr("symbol")', 1, 1, _uaddr, "address of a symbol of the binary"),
    Function("percpu_kaddr", 'percpu_kaddr("symbol", cpu)', 1, 2, _percpu_kaddr, "address of a per-CPU symbol"),
    Function("cgroupid", 'cgroupid("path")', 1, 1, _cgroupid, "ID of a cgroup"),
    Function("cgroup_path", "cgroup_path(id, filter)", 1, 2, _cgroup_path, "path of a cgroup"),
    Function("ntop", "ntop(family, address)", 1, 2, _ntop, "an IP address"),
    Function("pton", 'pton("address")', 1, 1, _pton, "the bytes of an IP address"),
    Function("nsecs", "nsecs(clock)", 0, 1, _nsecs, "nanoseconds of a clock"),
    Function("strftime", "strftime(format, nsecs)", 2, 2, _strftime, "a time as text"),
    Function("kfunc_exist", 'kfunc_exist("name")', 1, 1, _has_kfunc, "whether the kernel has that function for BPF"),
    Function("kfunc_allowed", 'kfunc_allowed("name")', 1, 1, _has_kfunc, "whether that function may be called here"),
)
