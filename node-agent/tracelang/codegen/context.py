"""What a program finds where it is attached: tracepoint records, raw arguments, registers, USDT arguments.

Comes in: ir nodes with offsets and registers; goes out: loads from the BPF context at constant offsets (the only ones
that the verifier takes) or probe reads at the context's own address.
"""

from __future__ import annotations

from tracelang import arch, ir
from tracelang.codegen import places
from tracelang.codegen.values import CodegenError, Place, c_type
from tracelang.codegen.writer import Writer
from tracelang.facts import UsdtArgument
from tracelang.plan import ProgramType
from tracelang.types import AddressSpace, IntType, PointerType


def raw_load(*, offset: int, kind: str) -> str:
    # volatile: the compiler must neither merge nor narrow loads from the context.
    return f"*(volatile {kind} *)(ctx + {offset})" if offset else f"*(volatile {kind} *)ctx"


def load(writer: Writer, expr: ir.ContextLoad) -> str:
    if expr.bit_width:
        size = min(size for size in (1, 2, 4, 8) if size * 8 >= expr.bit_shift + expr.bit_width)
        storage = writer.temp_of(f"u{size * 8}", raw_load(offset=expr.offset, kind=f"u{size * 8}"), "bits")
        return places.extract_bits(storage, shift=expr.bit_shift, width=expr.bit_width, type_=expr.type)
    kind = c_type(expr.type)
    if _may_be_null(writer, expr):
        name = writer.temp_of(kind, "0", "field")
        writer.emit(f"bpf_probe_read_kernel(&{name}, sizeof({name}), ctx + {expr.offset});")
        return name
    return writer.temp_of(kind, raw_load(offset=expr.offset, kind=kind), "field")


def _may_be_null(writer: Writer, expr: ir.ContextLoad) -> bool:
    """Whether the verifier takes the loaded value for a pointer that wants a null check before any arithmetic.

    Iterators and typed tracepoints hand out such pointers; read as plain memory, they are numbers.
    """
    probe = writer.program.probe
    typed = probe.type is ProgramType.TRACING and isinstance(expr.type, PointerType)
    return typed and any(item.provider not in ("fentry", "fexit") for item in probe.attachments)


def load_at(writer: Writer, source: Place, kind: str) -> str:
    """A scalar at a constant place in the context."""
    if source.base == "ctx":
        return writer.temp_of(kind, raw_load(offset=source.offset, kind=kind), "field")
    name = writer.temp_of(kind, "0", "field")
    writer.emit(f"bpf_probe_read_kernel(&{name}, sizeof({name}), {source.pointer});")
    return name


def place_at(writer: Writer, address: str) -> Place:
    """Memory behind a number that is an address inside the context: read as kernel memory."""
    return Place(AddressSpace.KERNEL, address)


def address(writer: Writer) -> str:
    """The context's address as a number, hidden from the compiler, so that it never folds it into a load."""
    name = writer.temp_of("u64", "(u64)ctx", "context")
    writer.opaque(name)
    return name


def place(writer: Writer, expr: ir.ContextPlace) -> Place:
    base = address(writer)
    if expr.data_loc:
        location = writer.temp_of("u32", raw_load(offset=expr.offset, kind="u32"), "location")
        return Place(AddressSpace.KERNEL, writer.temp_of("u64", f"{base} + ({location} & 0xffff)", "data"))
    return Place(AddressSpace.KERNEL, base, expr.offset)


# --- registers ---


def register(writer: Writer, expr: ir.RegisterArgument | ir.RegisterNamed | ir.StackArgument) -> str:
    match expr:
        case ir.RegisterArgument(index=index):
            offset = arch.argument_offset(index)
            if offset is None:
                raise CodegenError(f"arg{index} is not passed in a register")
            text = named_offset(writer, offset, f"arg{index}")
        case ir.RegisterNamed(name=name):
            text = named(writer, name)
        case ir.StackArgument(index=index, space=space):
            stack = named(writer, arch.STACK_POINTER)
            source = Place(
                AddressSpace.USER if space is AddressSpace.USER else AddressSpace.KERNEL,
                stack,
                arch.STACK_ARGUMENT_BASE + index * 8,
            )
            text = places.load_at(writer, source, IntType(64, signed=False), access=f"sarg{index}")
    kind = c_type(expr.type)
    return text if kind == "u64" else f"({kind}){text}"


def named(writer: Writer, name: str) -> str:
    try:
        offset = arch.register_offset(name)
    except KeyError:
        raise CodegenError(f"this machine has no register {name}") from None
    return named_offset(writer, offset, name if name.isalnum() else "register")


def named_offset(writer: Writer, offset: int, hint: str) -> str:
    return writer.temp_of("u64", raw_load(offset=offset, kind="u64"), f"r_{hint}")


# --- USDT ---


def usdt(writer: Writer, expr: ir.UsdtValue) -> str:
    """The argument of the place that fired."""
    kind = c_type(expr.type)
    if len(expr.arguments) == 1:
        return f"({kind}){_usdt_argument(writer, expr.arguments[0][1])}"
    result = writer.temp_of(kind, "0", "argument")
    cookie = writer.temp_of("u64", "bpf_get_attach_cookie(ctx)", "cookie")
    for number, argument in expr.arguments:
        with writer.block(f"if ({cookie} == {number})"):
            writer.emit(f"{result} = ({kind}){_usdt_argument(writer, argument)};")
    return result


def _usdt_argument(writer: Writer, argument: UsdtArgument) -> str:
    kind = f"{'s' if argument.signed else 'u'}{argument.size * 8}"
    match argument.kind:
        case "const":
            return f"({kind}){argument.constant}LL"
        case "register":
            return f"({kind}){named(writer, argument.register)}"
        case "memory":
            base = named(writer, argument.register) if argument.register else "0ULL"
            if argument.index:
                base = f"({base} + {named(writer, argument.index)} * {argument.scale})"
            source = Place(AddressSpace.USER, writer.temp_of("u64", f"{base} + {argument.constant}LL", "where"))
            return places.load_at(writer, source, IntType(argument.size * 8, signed=argument.signed))
    raise CodegenError(f"a USDT argument of kind {argument.kind}")
