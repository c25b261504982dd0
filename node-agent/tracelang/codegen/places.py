"""Memory: where a value of a memory type is, how it is read, copied and written into place.

`place` names the memory of an expression. `prepare` evaluates an expression as far as it can run in any order and gives
back a `Fill`, which writes the value into a destination: this is how an event's fields are made inside the ring buffer,
without a copy on the stack. A Fill emits only reads and stores: no early return, no other reservation.
"""

from __future__ import annotations

from collections.abc import Callable

from tracelang import ir
from tracelang.codegen import (
    context,
    conversions,
    expressions,
    maps,
    memory_intrinsics,
    statements,
    strings,
    subprograms,
)
from tracelang.codegen.copy import copy, read_into, zero
from tracelang.codegen.failures import watched
from tracelang.codegen.values import (
    CodegenError,
    Place,
    bits_of,
    c_type,
    comment,
    variable_place,
)
from tracelang.codegen.writer import Writer
from tracelang.source import Span
from tracelang.types import (
    AddressSpace,
    BufferType,
    PointerType,
    RecordType,
    TupleType,
    Type,
    align_of,
    is_scalar,
    size_of,
    tuple_layout,
)

Fill = Callable[[Place], None]


class Known(ir.Expr, frozen=True):
    """An expression whose memory the generator already has: elements of it are named by ir.Member."""

    place: Place


_NAMED = (Known, ir.Local, ir.MapValue, ir.Member, ir.Element, ir.Dereference, ir.ContextPlace)
"""Expressions that are places already."""


def element_types(type_: Type) -> tuple[Type, ...]:
    match type_:
        case TupleType(elements=elements):
            return elements
        case RecordType(fields=fields):
            return tuple(item for _, item in fields)
    raise TypeError(f"{type_!r} has no elements")


# --- naming ---


def place(writer: Writer, expr: ir.Expr) -> Place:
    """The memory of an expression of memory type; values that are nowhere yet get a buffer."""
    match expr:
        case Known(place=known):
            return known
        case ir.Local(slot=slot):
            return local_place(writer, slot)
        case ir.MapValue():
            return maps.value_place(writer, expr)
        case ir.Member(base=base, offset=offset):
            return _base(writer, base).at(offset)
        case ir.Element():
            return _element(writer, expr)
        case ir.Dereference(address=address, space=space):
            text = expressions.value(writer, address)
            if space is AddressSpace.CONTEXT:
                return context.place_at(writer, text)
            if space is AddressSpace.BPF:
                # A pointer into our own memory that went through a variable: the verifier lost what it points to.
                return Place(AddressSpace.KERNEL, text)
            return Place(_space_of(writer, space), text)
        case ir.ContextPlace():
            return context.place(writer, expr)
        case ir.Sequence(statements=body, value=result) if result is not None:
            statements.write_all(writer, body)
            return place(writer, result)
        case ir.Convert(operand=operand) if operand.type == expr.type:
            return place(writer, operand)
    return materialise(writer, expr)


def _base(writer: Writer, base: ir.Expr) -> Place:
    """Of a member access: a pointer as the base is followed."""
    if is_scalar(base.type) and not isinstance(base, Known):
        space = base.type.space if isinstance(base.type, PointerType) else AddressSpace.NONE
        return Place(_space_of(writer, space), expressions.value(writer, base))
    return place(writer, base)


def _space_of(writer: Writer, space: AddressSpace) -> AddressSpace:
    if space is AddressSpace.NONE:
        default = writer.program.probe.context_space
        return AddressSpace.USER if default is AddressSpace.USER else AddressSpace.KERNEL
    return space


def _element(writer: Writer, expr: ir.Element) -> Place:
    base = _base(writer, expr.base)
    if isinstance(expr.index, ir.Constant):
        return base.at(expr.index.value * expr.stride)
    index = expressions.pinned(writer, expressions.value(writer, expr.index), expr.index.type)
    if base.is_ours:
        # The verifier must see the bound, so that the address stays inside the buffer.
        checked = writer.temp_of("u64", index, "index")
        writer.opaque(checked)
        writer.emit(f"if ({checked} >= {max(expr.count, 1)}) {checked} = 0;")
        start = writer.temp_of("u8 *", f"{base.address} + {checked} * {expr.stride}", "element")
        return Place(AddressSpace.BPF, start, alignment=_power_of_two(expr.stride, base.aligned_to()))
    offset = f"{base.address} + (u64){index} * {expr.stride}"
    return Place(base.space, writer.temp_of("u64", offset, "element"))


def _power_of_two(stride: int, limit: int) -> int:
    return min(stride & -stride if stride else 8, limit)


def local_place(writer: Writer, slot: int) -> Place:
    name = writer.local_name(slot)
    size = size_of(writer.locals[slot].type)
    if is_scalar(writer.locals[slot].type):
        return variable_place(writer.local(slot))
    if writer.lives_in_scratch(size):
        return Place(AddressSpace.BPF, f"scratch->{name}")
    return Place(AddressSpace.BPF, writer.local(slot))


def materialise(writer: Writer, expr: ir.Expr) -> Place:
    """The value in a buffer of its own."""
    buffer = writer.buffer(size_of(expr.type), "value")
    write(writer, expr, buffer)
    return buffer


def in_our_memory(writer: Writer, expr: ir.Expr) -> Place:
    """As `place`, but what lies in kernel or user memory is copied into a buffer."""
    found = place(writer, expr)
    if found.is_ours:
        return found
    buffer = writer.buffer(size_of(expr.type), "copy")
    read_into(writer, source=found, destination=buffer, type_=expr.type, span=expr.span)
    return buffer


def address_of(writer: Writer, target: ir.Expr) -> str:
    """The address as a number."""
    if is_scalar(target.type) and isinstance(target, ir.Local):
        return f"(u64)(void *)&{writer.local(target.slot)}"
    found = maps.value_pointer(writer, target) if isinstance(target, ir.MapValue) else place(writer, target)
    return f"(u64)(void *){found.address}" if found.is_ours else found.address


# --- loading scalars ---


def load(writer: Writer, expr: ir.Expr) -> str:
    """A scalar out of a place."""
    if isinstance(expr, ir.BitField):
        return _load_bits(writer, expr)
    return load_at(writer, place(writer, expr), expr.type, access=getattr(expr, "access", ""), span=expr.span)


def load_at(writer: Writer, source: Place, type_: Type, *, access: str = "", span: Span | None = None) -> str:
    kind = c_type(type_)
    if source.is_ours:
        if source.aligned_to() >= align_of(type_):
            return writer.temp_of(kind, source.lvalue(kind), "loaded")
        name = writer.temp_of(kind, "0", "loaded")
        writer.emit(f"__builtin_memcpy(&{name}, {source.address}, sizeof({name}));")
        return name
    if source.space is AddressSpace.CONTEXT:
        return context.load_at(writer, source, kind)
    name = writer.temp_of(kind, "0", "loaded")
    note = f"  /* {comment(access)} */" if access else ""
    helper = "bpf_probe_read_user" if source.space is AddressSpace.USER else "bpf_probe_read_kernel"
    watched(writer, f"{helper}(&{name}, sizeof({name}), {source.pointer})", span, note=note)
    return name


def _load_bits(writer: Writer, expr: ir.BitField) -> str:
    from tracelang.types import IntType

    base = _base(writer, expr.base).at(expr.offset)
    storage = load_at(writer, base, IntType(expr.storage * 8, signed=False), access=expr.access, span=expr.span)
    return extract_bits(storage, shift=expr.shift, width=expr.width, type_=expr.type)


def extract_bits(storage: str, *, shift: int, width: int, type_: Type) -> str:
    """Bits of an unsigned number, as the language has them: without a sign, whatever their type."""
    kind = c_type(type_)
    shifted = f"((u64){storage} >> {shift})" if shift else f"(u64){storage}"
    return f"({kind})({shifted} & {hex((1 << width) - 1)}ULL)"


def scalar_from_memory(writer: Writer, operand: ir.Expr, type_: Type) -> str:
    """A memory value taken as a number: the first bytes of an array or buffer; usym's address."""
    source = place(writer, operand)
    if isinstance(operand.type, BufferType):
        source = source.at(4)
    if isinstance(type_, PointerType) and not source.is_ours:
        return source.address  # an array decays to the address of its first element
    if size_of(operand.type) < bits_of(type_) // 8:
        raise CodegenError("the value has fewer bytes than the integer")
    return load_at(writer, source, type_)


# --- writing ---


def write(writer: Writer, expr: ir.Expr, destination: Place) -> None:
    """The value of an expression into memory of its type's size. Strings are zero-filled up to their size."""
    prepare(writer, expr)(destination)


def prepare(writer: Writer, expr: ir.Expr, *, zero_fill: bool = True) -> Fill:
    """Evaluates; calling the result writes the value. zero_fill off: bytes after a string's NUL may be anything."""
    if is_scalar(expr.type):
        kind = c_type(expr.type)
        text = expressions.pinned(writer, expressions.value(writer, expr), expr.type)
        return lambda destination: store_scalar(writer, destination, kind, text)
    match expr:
        case ir.StringConstant(data=data, type=type_):
            content = data[: size_of(type_) - 1].ljust(size_of(type_), b"\0")
            return lambda destination: strings.store_constant(writer, content, destination)
        case ir.ArrayConstant(data=data):
            return lambda destination: strings.store_constant(writer, data, destination)
        case ir.MakeTuple():
            return prepare_tuple(writer, expr, zero_fill=zero_fill)
        case ir.Intrinsic():
            return memory_intrinsics.memory(writer, expr, zero_fill=zero_fill)
        case ir.SubprogramCall():
            buffer = writer.buffer(size_of(expr.type), "result")
            subprograms.call(writer, expr, destination=buffer)
            return lambda destination: copy(writer, source=buffer, destination=destination, size=size_of(expr.type))
        case ir.Select():
            return _prepare_select(writer, expr)
        case ir.Sequence(statements=body, value=result) if result is not None:
            statements.write_all(writer, body)
            return prepare(writer, result, zero_fill=zero_fill)
        case ir.Convert(operand=operand, type=type_) if operand.type != type_:
            return conversions.prepare(writer, operand, type_, zero_fill=zero_fill)
        case ir.Convert(operand=operand):
            return prepare(writer, operand, zero_fill=zero_fill)
    if not isinstance(expr, _NAMED):
        raise CodegenError(f"no code for {type(expr).__name__}")
    source = place(writer, expr)
    return lambda destination: read_into(
        writer, source=source, destination=destination, type_=expr.type, zero_fill=zero_fill, span=expr.span
    )


def store_scalar(writer: Writer, destination: Place, kind: str, text: str) -> None:
    if destination.aligned_to() * 8 >= int(kind[1:]):
        writer.emit(f"{destination.lvalue(kind)} = {text};")
    else:
        name = writer.temp_of(kind, text)
        writer.emit(f"__builtin_memcpy({destination.address}, &{name}, sizeof({name}));")


def prepare_tuple(writer: Writer, expr: ir.MakeTuple, *, zero_fill: bool) -> Fill:
    types = element_types(expr.type)
    offsets, size = tuple_layout(types)
    prepared = {
        index: prepare(writer, expr.elements[index], zero_fill=zero_fill)
        for index in expr.order or range(len(expr.elements))
    }
    fills = [prepared[index] for index in range(len(expr.elements))]

    def fill(destination: Place) -> None:
        end = 0
        for offset, type_, one in zip(offsets, types, fills, strict=True):
            zero(writer, destination.at(end), offset - end)
            one(destination.at(offset))
            end = offset + size_of(type_)
        zero(writer, destination.at(end), size - end)

    return fill


def _prepare_select(writer: Writer, expr: ir.Select) -> Fill:
    """Both sides are written into one buffer; the fill copies it."""
    size = size_of(expr.type)
    buffer = writer.buffer(size, "chosen")
    test = expressions.condition(writer, expr.condition)
    with writer.block(f"if ({test})", tail="} else {"), writer.buffers():
        write(writer, expr.then, buffer)
    writer.depth += 1
    with writer.buffers():
        write(writer, expr.otherwise, buffer)
    writer.depth -= 1
    writer.emit("}")
    return lambda destination: copy(writer, source=buffer, destination=destination, size=size)


# --- comparing ---


def compare(writer: Writer, expr: ir.MemoryCompare) -> str:
    """Equality of `size` bytes of two places."""
    left, right = in_our_memory(writer, expr.left), in_our_memory(writer, expr.right)
    differs = writer.temp_of("u64", "0", "differs")
    step = min(left.aligned_to(), right.aligned_to())
    whole = expr.size // step * step
    if whole // step <= 16:
        for offset in range(0, whole, step):
            writer.emit(f"{differs} |= {_unsigned_pair(left, right, offset=offset, size=step)};")
        for offset in range(whole, expr.size):
            writer.emit(f"{differs} |= {_unsigned_pair(left, right, offset=offset, size=1)};")
    else:
        name = writer.module.need("bytes_differ")
        writer.emit(f"{differs} = {name}({left.address}, {right.address}, {expr.size});")
    return f"({differs} {'==' if expr.equal else '!='} 0)"


def _unsigned_pair(left: Place, right: Place, *, offset: int, size: int) -> str:
    kind = f"u{size * 8}"
    return f"{left.at(offset).lvalue(kind)} ^ {right.at(offset).lvalue(kind)}"
