"""Builtins and functions whose value is memory: strings read from the program's world, stacks, symbols, addresses.

Comes in: ir.Intrinsic; goes out: a Fill (see `places`); the arguments are evaluated at once.
"""

from __future__ import annotations

from tracelang import ir
from tracelang.codegen import expressions, intrinsics, places, strings, tasks, unwinding
from tracelang.codegen.copy import copy, read_into, zero
from tracelang.codegen.failures import told, watched
from tracelang.codegen.intrinsics import BPF_F_USER_STACK, stack_buffer
from tracelang.codegen.values import CodegenError, Place, c_type
from tracelang.codegen.writer import Writer
from tracelang.ir import IntrinsicKind as Kind
from tracelang.plan import MapRole
from tracelang.types import AddressSpace, ArrayType, BufferType, PointerType, StackType, is_scalar, size_of

AF_INET = 2
AF_INET6 = 10


def memory(writer: Writer, expr: ir.Intrinsic, *, zero_fill: bool) -> places.Fill:
    """How to write the value of an intrinsic of memory type; arguments are evaluated now."""
    match expr.kind:
        case Kind.COMM:
            return lambda to: writer.emit(f"bpf_get_current_comm({to.address}, {size_of(expr.type)});")
        case Kind.PCOMM | Kind.LEADER_COMM:
            source = tasks.comm_of(writer, "real_parent" if expr.kind is Kind.PCOMM else "group_leader")
            return lambda to: read_into(writer, source=source, destination=to, type_=expr.type, zero_fill=zero_fill)
        case Kind.READ_STRING:
            return _read_string(writer, expr, zero_fill=zero_fill)
        case Kind.READ_BUFFER:
            return _read_buffer(writer, expr, zero_fill=zero_fill)
        case Kind.STRING_CAT:
            return strings.concatenate(writer, expr)
        case Kind.STACK:
            return _stack(writer, expr)
        case Kind.WORDS:
            words = [expressions.value(writer, word) for word in expr.arguments]
            return lambda to: _words(writer, words, destination=to, size=size_of(expr.type))
        case Kind.USYM:
            return _user_symbol(writer, expressions.value(writer, expr.arguments[0]))
        case Kind.FUNC_ADDRESS:
            return _user_symbol(writer, intrinsics.function_address(writer))
        case Kind.NTOP:
            return _internet_address(writer, expr)
        case Kind.MAC:
            source = _bytes_of(writer, expr.arguments[0], expr)
            return lambda to: _raw_bytes(writer, source=source, destination=to, size=6)
        case Kind.PATH:
            return _path(writer, expr)
    raise CodegenError(f"no code for {expr.kind.value}")


def _words(writer: Writer, words: list[str], *, destination: Place, size: int) -> None:
    for number, word in enumerate(words):
        name = writer.temp_of("u64", word, "word")
        writer.emit(f"__builtin_memcpy({destination.at(8 * number).address}, &{name}, {min(8, size - 8 * number)});")


def _space(writer: Writer, expr: ir.Intrinsic, pointer: ir.Expr) -> AddressSpace:
    space = AddressSpace(str(expr.constants.get("space", "none")))
    if space is AddressSpace.NONE and isinstance(pointer.type, PointerType):
        space = pointer.type.space
    if space is AddressSpace.NONE:
        space = writer.program.probe.context_space
    return AddressSpace.USER if space is AddressSpace.USER else AddressSpace.KERNEL


def _bytes_of(writer: Writer, argument: ir.Expr, expr: ir.Intrinsic) -> Place:
    """The memory that an argument names: a place, or what a pointer points to."""
    if not is_scalar(argument.type):
        return places.place(writer, argument)
    text = expressions.pinned(writer, expressions.value(writer, argument), argument.type)
    return Place(_space(writer, expr, argument), f"(u64){text}" if c_type(argument.type) != "u64" else text)


def _raw_bytes(writer: Writer, *, source: Place, destination: Place, size: int) -> None:
    if source.is_ours:
        copy(writer, source=source, destination=destination, size=size)
        return
    helper = "bpf_probe_read_user" if source.space is AddressSpace.USER else "bpf_probe_read_kernel"
    writer.emit(f"{helper}({destination.address}, {size}, {source.pointer});")


def _read_string(writer: Writer, expr: ir.Intrinsic, *, zero_fill: bool) -> places.Fill:
    size = size_of(expr.type)
    source = _bytes_of(writer, expr.arguments[0], expr)
    limit = str(size)
    if len(expr.arguments) > 1:
        wanted = expr.arguments[1]
        if isinstance(wanted, ir.Constant):
            limit = str(min(max(wanted.value, 1), size))
        else:
            text = expressions.value(writer, wanted)
            limit = writer.temp_of("u64", f"(u64){text} < {size} ? (u64){text} | !{text} : {size}", "limit")
    space = "user" if source.space is AddressSpace.USER else "kernel"

    def fill(to: Place) -> None:
        if zero_fill:
            zero(writer, to, size)
        call = f"bpf_probe_read_{space}_str({to.address}, {limit}, {source.pointer})"
        if not expr.constants.get("is_whole"):
            watched(writer, call, expr.span)
            return
        # The helper gives the last byte to a zero, which the field needn't have: so that what was cut shows.
        with writer.block(f"if ({told(writer, call, expr.span)} == {size})"):
            last = f"(void *)({source.pointer} + {size - 1})"
            writer.emit(f"bpf_probe_read_{space}({to.at(size - 1).address}, 1, {last});")

    return fill


def _read_buffer(writer: Writer, expr: ir.Intrinsic, *, zero_fill: bool) -> places.Fill:
    assert isinstance(expr.type, BufferType)
    size = expr.type.size
    source = _bytes_of(writer, expr.arguments[0], expr)
    wanted = size
    length = ""
    if len(expr.arguments) > 1:
        given = expr.arguments[1]
        if isinstance(given, ir.Constant):
            wanted = min(max(given.value, 0), size)
        else:
            text = expressions.value(writer, given)
            length = writer.temp_of("u64", f"(u64){text} < {size} ? (u64){text} : {size}", "length")
    elif isinstance(expr.arguments[0].type, ArrayType):
        wanted = min(size_of(expr.arguments[0].type), size)
    literal = expr.arguments[0]
    if isinstance(literal, ir.StringConstant) and not length:
        # Behind the text there is nothing to read: zeroes.
        content = literal.data[:wanted].ljust(size, b"\0")

        def fill_constant(to: Place) -> None:
            writer.emit(f"{to.lvalue('u32')} = {wanted};")
            strings.store_constant(writer, content, to.at(4))

        return fill_constant
    length = length or str(wanted)
    helper = "bpf_probe_read_user" if source.space is AddressSpace.USER else "bpf_probe_read_kernel"

    def fill(to: Place) -> None:
        writer.emit(f"{to.lvalue('u32')} = {length};")
        if zero_fill:
            zero(writer, to.at(4), size)
        watched(writer, f"{helper}({to.at(4).address}, {length}, {source.pointer})", expr.span)

    return fill


def _stack(writer: Writer, expr: ir.Intrinsic) -> places.Fill:
    """The stack goes into a map of stacks under its hash; the value says which it is, and whose addresses."""
    type_ = expr.type
    assert isinstance(type_, StackType)
    macro = writer.module.stacks_macro(type_.depth)
    frames = stack_buffer(writer, type_.depth * 8)
    if expr.constants.get("unwind"):
        call = unwinding.keep(writer, stacks=macro, frames=frames, depth=type_.depth)
    else:
        flags = BPF_F_USER_STACK if type_.user else 0
        keep = writer.module.need("keep_stack")
        writer.module.role_macro(MapRole.COUNTERS)
        call = f"{keep}({writer.program.slot}, ctx, {macro}, (u64 *){frames.address}, {type_.depth * 8}, {flags})"
    found = writer.temp_of("s64", call, "stack")
    pid = tasks.process(writer) if type_.user else "0"
    pid = writer.temp_of("u32", pid, "pid")
    probe = writer.program.probe.attachments[0].cookie if type_.user and writer.program.probe.attachments else 0

    def fill(to: Place) -> None:
        writer.emit(f"{to.lvalue('s64')} = {found};")
        writer.emit(f"{to.at(8).lvalue('u32')} = {pid};")
        writer.emit(f"{to.at(12).lvalue('u32')} = {probe};")

    return fill


def _user_symbol(writer: Writer, text: str) -> places.Fill:
    address = writer.temp_of("u64", text, "address")
    pid = writer.temp_of("u32", tasks.process(writer), "pid")
    attachments = writer.program.probe.attachments
    probe = attachments[0].cookie if attachments else 0

    def fill(to: Place) -> None:
        writer.emit(f"{to.lvalue('u64')} = {address};")
        writer.emit(f"{to.at(8).lvalue('u32')} = {pid};")
        writer.emit(f"{to.at(12).lvalue('u32')} = {probe};")

    return fill


def _internet_address(writer: Writer, expr: ir.Intrinsic) -> places.Fill:
    """{u64 family, u8 address[16]}; a number or 4 bytes are IPv4, 16 bytes are IPv6."""
    family = int(expr.constants.get("family", 0))
    arguments = expr.arguments
    given = ""
    if len(arguments) > 1:
        given = writer.temp_of("u64", expressions.value(writer, arguments[0]), "family")
    address = arguments[-1]
    if is_scalar(address.type) and not isinstance(address.type, PointerType):
        number = writer.temp_of("u32", expressions.value(writer, address), "address")
        shown = given or str(family or AF_INET)

        def fill_number(to: Place) -> None:
            zero(writer, to, size_of(expr.type))
            writer.emit(f"{to.lvalue('u64')} = {shown};")
            writer.emit(f"{to.at(8).lvalue('u32')} = {number};")

        return fill_number
    source = _bytes_of(writer, address, expr)
    size = min(size_of(address.type), 16) if not is_scalar(address.type) else 16
    shown = given or str(family or (AF_INET6 if size == 16 else AF_INET))

    def fill(to: Place) -> None:
        zero(writer, to, size_of(expr.type))
        writer.emit(f"{to.lvalue('u64')} = {shown};")
        _raw_bytes(writer, source=source, destination=to.at(8), size=size)

    return fill


def _path(writer: Writer, expr: ir.Intrinsic) -> places.Fill:
    size = size_of(expr.type)
    given = expr.arguments[0]
    text = expressions.value(writer, given) if is_scalar(given.type) else places.place(writer, given).address
    buffer = writer.buffer(size, "path")
    zero(writer, buffer, size)
    writer.emit(f"bpf_d_path((void *){text}, {buffer.address}, {size});")
    return lambda to: copy(writer, source=buffer, destination=to, size=size)
