"""Casts, sizeof, offsetof, and types as they are written in the program."""

from __future__ import annotations

from tracelang import ir, nodes
from tracelang.lowering.access import layout_of
from tracelang.lowering.arguments import is_argument
from tracelang.lowering.body import Body, missing
from tracelang.lowering.convert import constant_number, constant_text, convert, integer, place_space
from tracelang.source import Span
from tracelang.suggest import did_you_mean
from tracelang.type_names import AGGREGATE_NAMES
from tracelang.type_rules import UNRESOLVED, LiteralType, UnresolvedType, harden, show
from tracelang.types import (
    S8,
    AddressSpace,
    ArrayType,
    BoolType,
    EnumType,
    FloatType,
    IntType,
    PointerType,
    StringType,
    StructType,
    Type,
    is_integer,
    size_of,
)


def written_type(body: Body, written: nodes.TypeName) -> Type | None:
    """The type of that name, told when there is none. UNRESOLVED: `typeof` of what isn't known yet."""
    if written.name in AGGREGATE_NAMES:
        body.error(written.span, f"Invalid variable declaration type: {written.name}")
        return None
    type_ = _user_type(body, written) or body.analysis.types.resolve(written, lambda of: type_of(body, of))
    if type_ is None or isinstance(type_, FloatType):
        name = written.name
        hint = did_you_mean(name, body.analysis.types.names())
        if isinstance(type_, FloatType):
            hint = f"BPF has no floating point; the bytes are a uint{type_.bits}"
        body.error(written.span, f'Cannot resolve unknown type "{name}"', hint)
        return None
    return type_


def _user_type(body: Body, written: nodes.TypeName) -> Type | None:
    """In a probe of a binary, the binary's own structs come before the kernel's."""
    if body.provider is None or not body.provider.user_symbols or not body.location.target or not written.name:
        return None
    if body.analysis.types.own_layout(written.name) is not None or not written.name.startswith(("struct ", "union ")):
        return None
    type_ = body.facts.user_type(body.location.target, written.name)
    if type_ is None:
        return None
    for _ in range(written.pointers):
        type_ = PointerType(type_, AddressSpace.NONE)
    for count in reversed(written.dimensions):
        type_ = ArrayType(type_, count or 0)
    return type_


def is_value(name: str) -> bool:
    """Whether a bare name is a builtin: it comes before a type of the kernel that is called so."""
    from tracelang.builtins import BUILTINS

    return name in BUILTINS or is_argument(name)


def type_of(body: Body, node: nodes.Expression) -> Type:
    """`typeof(node)`: nothing of it runs. Of a map without brackets that has keys: the key's type."""
    if isinstance(node, nodes.TypeExpression):
        return written_type(body, node.type) or UNRESOLVED
    if isinstance(node, nodes.Map) and node.keys is None:
        symbol = body.analysis.map(node.name)
        if symbol.keyed and symbol.key is not None:
            return harden(symbol.key)
    if isinstance(node, nodes.Identifier) and not is_value(node.name):
        named = body.analysis.types.named(node.name)
        if named is not None and body.analysis.types.constant(node.name) is None:
            return named
    return harden(body.lower(body, node).type)


# --- casts


def lower_cast(body: Body, node: nodes.Cast) -> ir.Expr:
    """`(type)operand`."""
    target = written_type(body, node.type)
    value = body.lower(body, node.operand)
    if target is None or isinstance(target, UnresolvedType) or isinstance(value.type, UnresolvedType):
        return missing(node.span)
    _warn_of_same_type(body, node, value, target)
    return cast(body, value, target, node.span)


def _brackets(node: nodes.Cast) -> Span:
    return Span(node.span.start, node.type.span.end + 1, node.span.source)


def _warn_of_same_type(body: Body, node: nodes.Cast, value: ir.Expr, target: Type) -> None:
    """Of a map that counts nothing is said: what it yields isn't the type that it has."""
    source = harden(value.type)
    if isinstance(source, PointerType) and isinstance(target, PointerType):
        is_same = source.target == target.target
    else:
        is_same = source == target and isinstance(source, IntType | EnumType | BoolType)
    if isinstance(node.operand, nodes.PositionalParameter | nodes.Boolean):
        return  # a literal, of the smallest type
    is_aggregate = isinstance(value, ir.MapValue) and body.analysis.map(value.map).aggregate is not None
    if is_same and not is_aggregate:
        body.warn(_brackets(node), f"Unnecessary cast: expression is already of type {show(target)}")


def cast(body: Body, value: ir.Expr, target: Type, span: Span) -> ir.Expr:
    source = harden(value.type)
    match source, target:
        case (IntType() | BoolType() | EnumType(), PointerType()):
            return convert(value, _spaced(body, target, address_space_of(body, value)))
        case PointerType(space=space), PointerType():
            return convert(value, _spaced(body, target, space))
        case _, EnumType() if is_integer(source):
            return _to_enum(body, value, target, span)
        case _, IntType() | BoolType() if is_integer(source) or isinstance(source, PointerType):
            return convert(value, target)
        case (ArrayType() | StringType(), ArrayType()):
            return _array_to_array(body, value, target, span)
        case ArrayType(), IntType():
            if size_of(source) != size_of(target):
                return _cannot(body, source, target, span)
            return ir.Convert(span, target, value)
        case ArrayType(), PointerType():
            return ir.AddressOf(span, _spaced(body, target, place_space(value)), value)
        case _, ArrayType() if is_integer(source):
            return _integer_to_array(body, value, target, span)
        case StringType(), BoolType():
            text = constant_text(value)
            if text is not None:
                return ir.Constant(span, target, int(text != ""))
            return convert(ir.Member(span, S8, value, 0, "[0]"), target)
        case StringType(), StringType():
            if target.size and target.size < source.size:
                return _cannot(body, source, target, span)
            return convert(value, target) if target.size else value
        case StructType(), StructType() if source == target:
            return value
        case StructType(), _:
            return body.error(span, f'Cannot cast from struct type "{show(source)}"')
        case _, StructType() if isinstance(source, PointerType) or is_integer(source):
            # `(struct foo)address`: the struct there.
            pointer = convert(
                value, _spaced(body, PointerType(target, AddressSpace.NONE), address_space_of(body, value))
            )
            assert isinstance(pointer.type, PointerType)
            return ir.Dereference(span, target, pointer, pointer.type.space)
    if source == target:
        return value
    hint = "to read text from an address, use str()" if isinstance(target, StringType) else ""
    return _cannot(body, source, target, span, hint)


def _cannot(body: Body, source: Type, target: Type, span: Span, hint: str = "") -> ir.Expr:
    return body.error(span, f'Cannot cast from "{show(source)}" to "{show(target)}"', hint)


def _spaced(body: Body, target: Type, space: AddressSpace) -> Type:
    """The pointer type with the space that the address came from; the probe's own when that isn't known."""
    assert isinstance(target, PointerType)
    if target.space is not AddressSpace.NONE:
        return target
    if space is AddressSpace.CONTEXT:
        space = AddressSpace.KERNEL  # through another type the context is plain kernel memory
    return PointerType(target.target, space if space is not AddressSpace.NONE else body.space)


def address_space_of(body: Body, value: ir.Expr) -> AddressSpace:
    """Where an integer that is taken for an address points to."""
    match value:
        case ir.Convert(operand=operand):
            return address_space_of(body, operand)
        case ir.Arithmetic(left=left, right=right):
            space = address_space_of(body, left)
            return space if space is not AddressSpace.NONE else address_space_of(body, right)
        case ir.Intrinsic(kind=ir.IntrinsicKind.READ_KERNEL, constants=constants):
            return AddressSpace.USER if constants.get("space") == AddressSpace.USER.value else AddressSpace.KERNEL
        case ir.Intrinsic(constants=constants) if "address_space" in constants:
            return AddressSpace(constants["address_space"])
        case ir.Member() | ir.Element() | ir.Dereference():
            space = place_space(value)
            return space if space is not AddressSpace.BPF else AddressSpace.NONE
    if isinstance(value.type, PointerType):
        return value.type.space
    return AddressSpace.NONE


def _to_enum(body: Body, value: ir.Expr, target: EnumType, span: Span) -> ir.Expr:
    number = constant_number(value)
    if number is not None and target.variants and number not in {item for item, _ in target.variants}:
        name = target.name.removeprefix("enum ")
        return body.error(span, f"Enum: {name} doesn't contain a variant value of {number}")
    return convert(value, target)


def _integer_to_array(body: Body, value: ir.Expr, target: ArrayType, span: Span) -> ir.Expr:
    """The bytes of the integer; `(int8[])x` has as many elements as fit."""
    source = harden(value.type)
    width = size_of(target.element)
    if not isinstance(target.element, IntType | BoolType) or not width:
        return _cannot(body, source, target, span)
    if not target.count:
        if size_of(source) % width:
            return body.error(
                span, "Cannot determine array size: the element size is incompatible with the cast integer size"
            )
        target = ArrayType(target.element, size_of(source) // width)
    size = size_of(target)
    number = constant_number(value)
    if isinstance(value.type, LiteralType) and number is not None and size <= 8:
        # A literal has no size of its own: any array that it fits in holds it.
        if number >> 8 * size in (0, -1):
            return ir.ArrayConstant(span, target, (number % (1 << 8 * size)).to_bytes(size, "little"))
    if size not in (1, 2, 4, 8) or size < size_of(source):
        return _cannot(body, source, target, span)
    wide = IntType(8 * size, isinstance(source, IntType) and source.signed)
    return ir.Convert(span, target, convert(value, wide))


def _array_to_array(body: Body, value: ir.Expr, target: ArrayType, span: Span) -> ir.Expr:
    source = value.type
    width = size_of(target.element)
    if not target.count and width and size_of(source) % width == 0:
        target = ArrayType(target.element, size_of(source) // width)
    if size_of(source) != size_of(target):
        return _cannot(body, source, target, span)
    return value if source == target else ir.Member(span, target, value, 0, "(cast)")


# --- sizes and offsets


def lower_sizeof(body: Body, node: nodes.Sizeof) -> ir.Expr:
    if isinstance(node.operand, nodes.TypeName):
        type_ = written_type(body, node.operand)
    else:
        type_ = type_of(body, node.operand)
    if type_ is None or isinstance(type_, UnresolvedType):
        return missing(node.span)
    return integer(node.span, size_of(type_))


def lower_offsetof(body: Body, node: nodes.Offsetof) -> ir.Expr:
    if isinstance(node.operand, nodes.TypeName):
        type_ = written_type(body, node.operand)
    else:
        type_ = type_of(body, node.operand)
    offset = 0
    for name in node.fields:
        if type_ is None or isinstance(type_, UnresolvedType):
            return missing(node.span)
        if not isinstance(type_, StructType):
            return body.error(node.span, f"'{show(type_)}' is not a c_struct type.")
        layout = layout_of(body, type_.name)
        if layout is None:
            return body.error(node.span, f"'{type_.name}' does not exist.")
        member = layout.members.get(name)
        if member is None:
            hint = did_you_mean(name, layout.members)
            return body.error(node.span, f"'{type_.name}' has no field named '{name}'", hint)
        offset += member.offset
        type_ = member.type
    return integer(node.span, offset)
