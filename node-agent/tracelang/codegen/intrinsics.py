"""Builtins and functions that a BPF helper or a short idiom answers.

Comes in: ir.Intrinsic; goes out: the text of the value. Those of memory types are in `memory_intrinsics`. What needs to
know tasks and PID namespaces is in `tasks`, strings are in `strings`.
"""

from __future__ import annotations

from tracelang import arch, ir
from tracelang.codegen import callbacks, context, expressions, maps, places, scope, strings, tasks, unwinding
from tracelang.codegen.copy import zero
from tracelang.codegen.values import CodegenError, Place, c_type, literal
from tracelang.codegen.writer import ON_STACK_LIMIT, Writer
from tracelang.ir import IntrinsicKind as Kind
from tracelang.plan import MapRole, ProgramType
from tracelang.pseudo import KFUNC_BASE, Constant
from tracelang.types import (
    U64,
    AddressSpace,
    BufferType,
    StackType,
    Type,
    is_scalar,
)

BPF_F_USER_STACK = 1 << 8

_PLAIN_HELPERS = {
    Kind.CPU: "bpf_get_smp_processor_id()",
    Kind.NUMA: "bpf_get_numa_node_id()",
    Kind.CURTASK: "bpf_get_current_task()",
    Kind.RANDOM: "bpf_get_prandom_u32()",
    Kind.JIFFIES: "bpf_jiffies64()",
    Kind.UID: "(u32)bpf_get_current_uid_gid()",
    Kind.GID: "bpf_get_current_uid_gid() >> 32",
    Kind.CONTEXT: "(u64)ctx",
    Kind.ATTACH_COOKIE: "bpf_get_attach_cookie(ctx)",
}


def scalar(writer: Writer, expr: ir.Intrinsic) -> str:
    """The value of an intrinsic of scalar type."""
    kind = c_type(expr.type) if is_scalar(expr.type) else "u64"
    if expr.kind in _PLAIN_HELPERS:
        return writer.temp_of(kind, _PLAIN_HELPERS[expr.kind], _hint(expr.kind))
    text = _scalar(writer, expr)
    return writer.temp_of(kind, text, _hint(expr.kind)) if text else ""


def _hint(kind: Kind) -> str:
    return kind.name.lower()


def _scalar(writer: Writer, expr: ir.Intrinsic) -> str:
    arguments = expr.arguments
    match expr.kind:
        case Kind.PID:
            return tasks.process(writer)
        case Kind.TID:
            return tasks.thread(writer)
        case Kind.PID_INNER:
            return tasks.process(writer, inner=True)
        case Kind.TID_INNER:
            return tasks.thread(writer, inner=True)
        case Kind.PID_HOST:
            return "bpf_get_current_pid_tgid() >> 32"
        case Kind.TID_HOST:
            return "(u32)bpf_get_current_pid_tgid()"
        case Kind.USER_ADDRESS:
            return _user_address(writer, expr)
        case Kind.PPID:
            return tasks.parent(writer)
        case Kind.NSECS:
            return _clock(writer, str(expr.constants.get("clock", "boot")))
        case Kind.ELAPSED:
            return f"bpf_ktime_get_boot_ns() - {constant_slot(writer, Constant.START)}"
        case Kind.CHILD_PID:
            return constant_slot(writer, Constant.CHILD_PID)
        case Kind.PROBE_ID:
            return probe_id(writer, expr)
        case Kind.FUNC_ADDRESS:
            return function_address(writer)
        case Kind.USER_MODE:
            segment = context.named(writer, arch.CODE_SEGMENT)
            return f"({segment} & {arch.USER_MODE_BITS}) == {arch.USER_MODE_BITS}"
        case Kind.RETURN_VALUE:
            if "offset" in expr.constants:
                return context.raw_load(offset=int(expr.constants["offset"]), kind=c_type(expr.type))
            return context.named(writer, arch.RETURN_REGISTER)
        case Kind.READ_KERNEL:
            return expressions.value(writer, arguments[0])
        case Kind.STRING_LENGTH:
            return strings.length(writer, arguments[0])
        case Kind.STRING_CONTAINS:
            return strings.contains(writer, arguments[0], arguments[1])
        case Kind.STRING_INDEX:
            return strings.index(writer, arguments[0], arguments[1])
        case Kind.STRNCMP_DYNAMIC:
            return strings.dynamic_compare(writer, expr)
        case Kind.BYTE_SWAP:
            return _byte_swap(writer, expr)
        case Kind.CGROUP_ID:
            if writer.module.options.scope.hierarchy:  # the helper knows cgroup v2 only
                return f"{writer.module.need('current_cgroup_v1_id')}()"
            return "bpf_get_current_cgroup_id()"
        case Kind.CGROUP_ANCESTOR:
            level = expressions.value(writer, arguments[0]) if arguments else str(expr.constants["level"])
            return f"bpf_get_current_ancestor_cgroup_id({level})"
        case Kind.MAP_LENGTH:
            return callbacks.count_entries(writer, str(expr.constants["map"]))
        case Kind.UNWINDABLE:
            return unwinding.is_known(writer)
        case Kind.STACK_LENGTH:
            return _stack_length(writer, arguments[0].type)
        case Kind.SIGNAL:
            thread = expr.constants.get("target") == "thread"
            number = expressions.value(writer, arguments[0])
            return f"bpf_send_signal_thread({number})" if thread else f"bpf_send_signal({number})"
        case Kind.OVERRIDE:
            return f"bpf_override_return(ctx, {expressions.value(writer, arguments[0])})"
        case Kind.WRITE_USER:
            return _write_user(writer, expr)
        case Kind.PER_CPU_POINTER:
            return _per_cpu(writer, expr)
        case Kind.SOCKET_COOKIE:
            return _socket_cookie(writer, arguments[0])
        case Kind.IS_CURRENT_UNDER:
            return scope.test(writer)
        case Kind.KFUNC:
            return _kernel_function(writer, expr)
    raise CodegenError(f"no code for {expr.kind.value}")


def _clock(writer: Writer, clock: str) -> str:
    match clock:
        case "boot":
            return "bpf_ktime_get_boot_ns()"
        case "monotonic":
            return "bpf_ktime_get_ns()"
        case "tai":
            return "bpf_ktime_get_tai_ns()"
        case "sw_tai":
            return f"bpf_ktime_get_boot_ns() + {constant_slot(writer, Constant.SW_TAI_OFFSET)}"
    raise CodegenError(f"no clock {clock}")


def _write_user(writer: Writer, expr: ir.Intrinsic) -> str:
    target, source = expr.arguments
    address = writer.temp_of("u64", expressions.value(writer, target), "target")
    if is_scalar(source.type):
        content = expressions.value(writer, source)
    else:
        found = places.in_our_memory(writer, source)
        content = (found.at(4) if isinstance(source.type, BufferType) else found).address
    written = writer.temp_of("u8", "0", "written")
    source_pointer = writer.temp_of("void *", f"(void *){content}", "source")
    with writer.block(f"if ({source_pointer})"):  # of a map's value there may be none
        call = f"bpf_probe_write_user((void *){address}, {source_pointer}, {expr.constants['length']})"
        writer.emit(f"{written} = {call} == 0;")
    return written


def constant_slot(writer: Writer, slot: int) -> str:
    """A number that the engine wrote before the start."""
    macro = writer.module.role_macro(MapRole.CONSTANTS)
    found = writer.temp_of("u64 *", f"bpf_map_lookup_elem({macro}, {maps.constant_key(writer, slot)})", "constant")
    return writer.temp_of("u64", f"{found} ? *{found} : 0", "number")


def set_constant(writer: Writer, slot: int, number: str) -> None:
    macro = writer.module.role_macro(MapRole.CONSTANTS)
    found = writer.temp_of("u64 *", f"bpf_map_lookup_elem({macro}, {maps.constant_key(writer, slot)})", "constant")
    writer.emit(f"if ({found}) *{found} = {number};")


def probe_id(writer: Writer, expr: ir.Intrinsic | None) -> str:
    """The id of the probe that fired: known, or the attach cookie when the program serves several places."""
    if expr is not None and "id" in expr.constants:
        return literal(int(expr.constants["id"]), U64)
    attachments = writer.program.probe.attachments
    if len({attachment.cookie for attachment in attachments}) == 1:
        return literal(attachments[0].cookie, U64)
    return f"{writer.program.place} - 1" if writer.program.place else "bpf_get_attach_cookie(ctx)"


def function_address(writer: Writer) -> str:
    """Where the probe stands. What the kernel can't tell here was made a constant in builtins.py."""
    probe = writer.program.probe
    if probe.type not in (ProgramType.KPROBE, ProgramType.TRACING):
        return context.named(writer, arch.INSTRUCTION_POINTER)
    provider = probe.attachments[0].provider if probe.attachments else ""
    if provider in ("uprobe", "usdt"):
        return context.named(writer, arch.INSTRUCTION_POINTER)
    inside = any(item.location.offset for item in probe.attachments)
    if provider == "kprobe" and (inside or not writer.module.has_helper("bpf_get_func_ip")):
        # The helper knows functions alone. The breakpoint's own byte has been passed.
        return f"{context.named(writer, arch.INSTRUCTION_POINTER)} - 1"
    return "bpf_get_func_ip(ctx)"


def _user_address(writer: Writer, expr: ir.Intrinsic) -> str:
    """A symbol's address in the process: as linked, plus how far the binary was moved when it was loaded.

    The probed function's own address tells how far, where the program is attached to one function of the same binary.
    """
    linked = int(expr.constants["address"])
    probe = writer.program.probe
    places_ = {(item.location.target, item.location.function, item.location.offset) for item in probe.attachments}
    if len(places_) != 1 or probe.type is not ProgramType.KPROBE:
        return f"{hex(linked)}ULL"
    ((target, function, offset),) = places_
    found = writer.module.facts.user_symbol(target, function) if function else None
    if found is None or target != str(expr.constants.get("target", target)):
        return f"{hex(linked)}ULL"
    if probe.attachments[0].provider == "uretprobe":
        here = writer.temp_of("u64", "bpf_get_func_ip(ctx)", "here")
    else:
        here = context.named(writer, arch.INSTRUCTION_POINTER)
    return f"{here} - {hex(found[0] + offset)}ULL + {hex(linked)}ULL"


def _byte_swap(writer: Writer, expr: ir.Intrinsic) -> str:
    text = expressions.value(writer, expr.arguments[0])
    bits = int(c_type(expr.type)[1:])
    return text if bits == 8 else f"__builtin_bswap{bits}({text})"


def _stack_length(writer: Writer, type_: Type) -> str:
    if not isinstance(type_, StackType):
        raise CodegenError("len() wants a map or a stack")
    size = type_.depth * 8
    buffer = stack_buffer(writer, size)
    flags = BPF_F_USER_STACK if type_.user else 0
    got = writer.temp_of("s64", f"bpf_get_stack(ctx, {buffer.address}, {size}, {flags})", "got")
    return f"{got} > 0 ? {got} >> 3 : 0"


def stack_buffer(writer: Writer, size: int) -> Place:
    """Memory that bpf_get_stack() fills. For raw programs older verifiers want it to hold something before."""
    frames = writer.buffer(size, "frames")
    if size <= ON_STACK_LIMIT and writer.program.probe.type in (ProgramType.TRACING, ProgramType.RAW_TRACEPOINT):
        zero(writer, frames, size)
    return frames


def _per_cpu(writer: Writer, expr: ir.Intrinsic) -> str:
    """The address of a per-CPU variable: its own plus the CPU's offset from the kernel's table."""
    table = writer.module.facts.kernel_symbol("__per_cpu_offset")
    if table is None:
        raise CodegenError("this kernel doesn't show __per_cpu_offset")
    base = expressions.value(writer, expr.arguments[0])
    if len(expr.arguments) > 1:
        cpu = expressions.value(writer, expr.arguments[1])
    else:
        cpu = "bpf_get_smp_processor_id()"
    cpus = writer.module.facts.cpu_count()
    number = writer.temp_of("u64", cpu, "cpu")
    source = Place(AddressSpace.KERNEL, f"({hex(table)}ULL + {number} * 8)")
    offset = places.load_at(writer, source, U64)
    return f"{number} < {cpus} ? {base} + {offset} : 0"


def _socket_cookie(writer: Writer, pointer: ir.Expr) -> str:
    """sk->__sk_common.skc_cookie: 0 until the kernel itself made one."""
    base = expressions.value(writer, pointer)
    offset = writer.module.offset_of("struct sock_common", "skc_cookie")
    return places.load_at(writer, Place(AddressSpace.KERNEL, base, offset), U64, access="sk->skc_cookie")


def _kernel_function(writer: Writer, expr: ir.Intrinsic) -> str:
    index = writer.program.kfunc(int(expr.constants["id"]))
    texts = expressions.operands(writer, expr.arguments)
    parameters = ", ".join("u64" for _ in texts) or "void"
    return f"((u64 (*)({parameters})){hex(KFUNC_BASE + index)})({', '.join(texts)})"
