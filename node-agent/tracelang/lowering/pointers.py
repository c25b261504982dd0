"""Addresses: what `*p` reads, what `&x` is, and which address space a pointer is in."""

from __future__ import annotations

from tracelang import ir, nodes
from tracelang.lowering.body import Body
from tracelang.lowering.convert import convert, place_space
from tracelang.lowering.maps import read_map
from tracelang.source import Span
from tracelang.type_rules import UnresolvedType, harden, show
from tracelang.types import (
    U64,
    AddressSpace,
    AggregateType,
    FloatType,
    IntType,
    PointerType,
    StructType,
    Type,
    VoidType,
)


def pointer_space(body: Body, type_: PointerType) -> AddressSpace:
    """Where it points to: what its type says, else the probe's own."""
    return type_.space if type_.space is not AddressSpace.NONE else body.space


def loaded(body: Body, type_: Type, space: AddressSpace) -> Type:
    """The type of a value that was read in `space`: a pointer found there points there."""
    if isinstance(type_, PointerType) and type_.space is AddressSpace.NONE:
        return PointerType(type_.target, space if space not in _OWN else body.space)
    if isinstance(type_, FloatType):
        return IntType(type_.bits, signed=False)
    return type_


_OWN = (AddressSpace.BPF, AddressSpace.CONTEXT)


def origin_space(body: Body, place: ir.Expr) -> AddressSpace:
    """Where the pointers inside of `place` point to: a copy remembers where it came from."""
    match place:
        case ir.Local(slot=slot):
            return body.local_spaces.get(slot, AddressSpace.BPF)
        case ir.MapValue(map=name):
            space = body.analysis.map(name).space
            return space if space is not AddressSpace.NONE else AddressSpace.BPF
        case ir.Member(base=base) | ir.Element(base=base):
            return origin_space(body, base)
        case ir.MakeTuple(elements=elements):
            spaces = {origin_space(body, element) for element in elements} - {AddressSpace.BPF}
            return spaces.pop() if len(spaces) == 1 else AddressSpace.BPF
    return place_space(place)


def target_of(body: Body, pointer: ir.Expr, span: Span) -> ir.Expr:
    """The place that `pointer` points to."""
    assert isinstance(pointer.type, PointerType)
    space = pointer_space(body, pointer.type)
    return ir.Dereference(span, loaded(body, pointer.type.target, space), pointer, space)


def dereference(body: Body, node: nodes.Unary, operand: ir.Expr) -> ir.Expr:
    """`*operand`; a bare integer is taken as the address of a u64."""
    match operand.type:
        case PointerType(target=VoidType() | UnresolvedType()):
            return body.error(node.span, f"Can not dereference type '{show(operand.type)}': cast it first")
        case PointerType():
            return target_of(body, operand, node.span)
        case IntType():
            address = convert(operand, PointerType(U64, AddressSpace.NONE))
            return target_of(body, address, node.span)
        case StructType() if isinstance(node.operand, nodes.Identifier) and node.operand.name == "args":
            return operand  # `(*args).field` is an old spelling of `args.field`
    return body.error(node.span, f"Can not dereference type '{show(operand.type)}'. It is not a pointer.")


def address_of(body: Body, node: nodes.Unary) -> ir.Expr:
    """`&$x`, `&@m`, `&p.field`."""
    match node.operand:
        case nodes.Map():
            place = read_map(body, node.operand)
            symbol = body.analysis.map(node.operand.name)
            if isinstance(symbol.value, AggregateType):
                return body.error(node.span, "The address of an aggregation can't be taken")
        case nodes.Variable() | nodes.FieldAccess() | nodes.Index():
            place = body.lower(body, node.operand)
        case _:
            return body.error(node.span, "The & operator must be applied to a variable, a map or a field")
    if isinstance(place.type, UnresolvedType):
        return place
    return ir.AddressOf(node.span, PointerType(harden(place.type), place_space(place)), place)
