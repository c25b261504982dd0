"""Parts of things: fields of structs, records and `args`; elements of tuples, arrays and pointers."""

from __future__ import annotations

from tracelang import ir, nodes
from tracelang.facts import Layout, Member
from tracelang.lowering.arguments import argument_field
from tracelang.lowering.body import Body, missing
from tracelang.lowering.convert import constant_number, convert
from tracelang.lowering.pointers import loaded, origin_space, target_of
from tracelang.lowering.warnings import bounded, checked_index
from tracelang.source import Span
from tracelang.suggest import did_you_mean
from tracelang.type_rules import UnresolvedType, show
from tracelang.types import (
    S8,
    S64,
    AddressSpace,
    ArrayType,
    IntType,
    PointerType,
    RecordType,
    StringType,
    StructType,
    TupleType,
    Type,
    VoidType,
    is_integer,
    is_scalar,
    size_of,
    tuple_layout,
)


def lower_field(body: Body, node: nodes.FieldAccess) -> ir.Expr:
    """`base.name` and `base->name`: through any number of pointers."""
    if is_args(node.base):
        return argument_field(body, node.name, node.span)
    base = body.lower(body, node.base)
    return field_of(body, base, node.name, node.span)


def is_args(node: nodes.Expression) -> bool:
    """`args`, `args()` or the old `*args`."""
    match node:
        case nodes.Identifier(name="args") | nodes.Call(name="args", arguments=()):
            return True
        case nodes.Unary(operator="*", operand=operand):
            return is_args(operand)
    return False


def field_of(body: Body, base: ir.Expr, name: str, span: Span) -> ir.Expr:
    if isinstance(base.type, UnresolvedType):
        return missing(span)
    if isinstance(base.type, PointerType) and base.type.space is AddressSpace.CONTEXT:
        return _context_field(body, base.type.target, name, span)
    while isinstance(base.type, PointerType):
        if isinstance(base.type.target, VoidType):
            break
        base = target_of(body, base, span)
    match base.type:
        case RecordType(fields=fields):
            return _record_field(body, base, fields, name, span)
        case StructType(name=struct):
            layout = layout_of(body, struct)
            if layout is None:
                names = body.analysis.types.names()
                hint = did_you_mean(struct, names) or body.facts.unsupported("types")
                return body.error(span, f"Unknown struct/union: '{struct}'", hint)
            member = layout.members.get(name)
            if member is None:
                return _no_field(body, struct, layout, name, span)
            return member_of(body, base, member, access=f"{struct}.{name}", span=span)
        case TupleType():
            return body.error(
                span, f"Can not access field '{name}' on expression of type '{show(base.type)}'", "use .0, .1 ..."
            )
    return body.error(span, f"Can not access field '{name}' on expression of type '{show(base.type)}'")


def layout_of(body: Body, struct: str) -> Layout | None:
    """The program's own definition, then the traced binary's, then the kernel's."""
    types = body.analysis.types
    if body.provider is not None and body.provider.user_symbols:
        own = types.own_layout(struct)
        if own is None and body.location.target:
            own = body.facts.user_struct(body.location.target, struct)
        if own is not None:
            return own
    return types.layout(struct)


def keep_layouts(body: Body, type_: Type) -> None:
    """The structs in a type that will be shown: their layouts go with the plan."""
    match type_:
        case StructType(name=name) if name not in body.analysis.layouts:
            layout = layout_of(body, name)
            if layout is not None:
                body.analysis.layouts[name] = layout
                for member in layout.members.values():
                    keep_layouts(body, member.type)
        case ArrayType(element=element):
            keep_layouts(body, element)
        case TupleType(elements=elements):
            for element in elements:
                keep_layouts(body, element)
        case RecordType(fields=fields):
            for _, item in fields:
                keep_layouts(body, item)
        case _:
            pass


def _no_field(body: Body, struct: str, layout: Layout, name: str, span: Span) -> ir.Expr:
    return body.error(
        span,
        f"Struct/union of type '{struct}' does not contain a field named '{name}'",
        did_you_mean(name, layout.members),
    )


def member_of(body: Body, base: ir.Expr, member: Member, *, access: str, span: Span) -> ir.Expr:
    """A field of the struct at the place `base`."""
    if member.bit_size:
        return bit_field(base, member, access=access, span=span)
    found = ir.Member(span, loaded(body, member.type, origin_space(body, base)), base, member.offset, access)
    return target_of(body, found, span) if member.is_reference else found


def bit_field(base: ir.Expr, member: Member, *, access: str, span: Span) -> ir.Expr:
    """The smallest aligned integer that holds all its bits is read."""
    for storage in (1, 2, 4, 8):
        offset = member.bit_offset // 8 // storage * storage
        shift = member.bit_offset - offset * 8
        if shift + member.bit_size <= storage * 8:
            return ir.BitField(span, member.type, base, offset, storage, shift, member.bit_size, access)
    # Packed over an eight-byte boundary: read from its first byte.
    offset = member.bit_offset // 8
    return ir.BitField(span, member.type, base, offset, 8, member.bit_offset % 8, member.bit_size, access)


def _record_field(body: Body, base: ir.Expr, fields: tuple[tuple[str, Type], ...], name: str, span: Span) -> ir.Expr:
    names = [item for item, _ in fields]
    if name not in names:
        return body.error(span, f"Record does not contain a field named '{name}'", did_you_mean(name, names))
    return tuple_part(base, names.index(name), span)


def tuple_part(base: ir.Expr, index: int, span: Span) -> ir.Expr:
    """The element at `index` of a tuple or record: of one just made, the element itself when it is constant."""
    if isinstance(base, ir.MakeTuple) and isinstance(base.elements[index], ir.Constant | ir.StringConstant):
        return base.elements[index]
    match base.type:
        case RecordType(fields=fields):
            types = tuple(item for _, item in fields)
        case TupleType(elements=types):
            pass
        case _:
            raise AssertionError("not a tuple")
    return ir.Member(span, types[index], base, tuple_layout(types)[0][index], f".{index}")


def _context_field(body: Body, target: Type, name: str, span: Span) -> ir.Expr:
    """`ctx.field`: a load at a constant offset of the BPF context."""
    struct = target.name if isinstance(target, StructType) else ""
    layout = body.analysis.types.layout(struct) if struct else None
    if layout is None:
        return body.error(span, f"Can not access field '{name}' on expression of type '{show(target)}'")
    member = layout.members.get(name)
    if member is None:
        return _no_field(body, struct, layout, name, span)
    type_ = loaded(body, member.type, AddressSpace.KERNEL)
    if isinstance(type_, StructType | ArrayType | StringType):
        return ir.ContextPlace(span, type_, member.offset, access=f"ctx.{name}")
    return ir.ContextLoad(span, type_, member.offset, access=f"ctx.{name}")


# --- elements


def lower_tuple_access(body: Body, node: nodes.TupleAccess) -> ir.Expr:
    base = body.lower(body, node.base)
    if isinstance(base.type, UnresolvedType):
        return missing(node.span)
    return _element_of_tuple(body, base, node.index, node.span)


def _element_of_tuple(body: Body, base: ir.Expr, index: int, span: Span) -> ir.Expr:
    if not isinstance(base.type, TupleType):
        return body.error(span, f"Can not access index '{index}' on expression of type '{show(base.type)}'")
    if not 0 <= index < len(base.type.elements):
        return body.error(span, f"Invalid tuple index: {index}. Found {len(base.type.elements)} elements in tuple.")
    return tuple_part(base, index, span)


def lower_element(body: Body, node: nodes.Index) -> ir.Expr:
    """`base[index]`."""
    base = body.lower(body, node.base)
    index = body.lower(body, node.index)
    if isinstance(base.type, UnresolvedType) or isinstance(index.type, UnresolvedType):
        return missing(node.span)
    number = constant_number(index)
    if isinstance(base.type, TupleType):
        if number is None:
            return body.error(node.span, "The index of a tuple must be a literal: its elements have their own types")
        return _element_of_tuple(body, base, number, node.span)
    if not is_integer(index.type) or (number is not None and number < 0):
        return body.error(
            node.span,
            "The array index operator [] only accepts non-negative integer indices. Got: " + show(index.type),
        )
    match base.type:
        case ArrayType(element=element, count=count):
            return _array_element(body, base, index, element, count=count, span=node.span)
        case StringType(size=size):
            if isinstance(base, ir.StringConstant) and number is not None and number < len(base.data) + 1:
                byte = (base.data + b"\0")[number]
                return ir.Constant(node.span, S8, byte - 256 if byte > 127 else byte)
            return _array_element(body, base, index, S8, count=size, span=node.span)
        case PointerType(target=VoidType()):
            return body.error(
                node.span, "The array index operator [] cannot be used on a pointer to an unsized type (void *)."
            )
        case PointerType(target=target):
            step = ir.PointerAdd(node.span, base.type, base, convert(index, S64), max(1, size_of(target)))
            return target_of(body, step, node.span)
    return body.error(
        node.span,
        "The array index operator [] can only be used on arrays, pointers, and tuples, found " + show(base.type) + ".",
    )


def _array_element(body: Body, base: ir.Expr, index: ir.Expr, element: Type, *, count: int, span: Span) -> ir.Expr:
    number = constant_number(index)
    type_ = loaded(body, element, origin_space(body, base))
    if number is not None:
        if count and number >= count:
            return body.error(span, f"the index {number} is out of bounds for array of size {count}")
        return ir.Member(span, type_, base, number * size_of(element), f"[{number}]")
    unsigned = IntType(64, signed=False)
    index = convert(index, unsigned)
    if count and is_scalar(type_):
        return bounded(body, span, ir.Element(span, type_, base, index, size_of(element), count))
    return ir.Element(span, type_, base, checked_index(body, span, index, count), size_of(element), count)
