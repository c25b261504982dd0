"""How types combine: what a literal is, which type holds two others, and what can be shown.

In: types of two expressions. Out: the type that holds both, or None. Pure; the passes turn None into diagnostics.
"""

from __future__ import annotations

from tracelang.types import (
    S64,
    U64,
    AddressSpace,
    AggregateType,
    Aggregation,
    ArrayType,
    BoolType,
    BufferType,
    EnumType,
    IntType,
    NoneType,
    PointerType,
    RecordType,
    StackType,
    StringType,
    StructType,
    TaggedType,
    TimestampType,
    TupleType,
    Type,
    VoidType,
    is_integer,
    name_of,
    size_of,
)


class LiteralType(IntType, frozen=True):
    """Of a number as written: the smallest signed type; one that isn't negative also fits unsigned types."""

    negative: bool = False


class UnresolvedType(Type, frozen=True):
    """Not known yet, or never because of an error that was already told: no rule complains about it."""


UNRESOLVED = UnresolvedType()

CASTABLE = frozenset({Aggregation.COUNT, Aggregation.SUM, Aggregation.MIN, Aggregation.MAX, Aggregation.AVG})
"""Aggregations that yield an integer in an expression."""


def literal_type(value: int) -> IntType:
    """The smallest signed type that holds `value` (uint64 above 2**63 - 1)."""
    if value > 0x7FFF_FFFF_FFFF_FFFF:
        return LiteralType(bits=64, signed=False)
    for bits in (8, 16, 32, 64):
        if -(1 << (bits - 1)) <= value < 1 << (bits - 1):
            return LiteralType(bits=bits, signed=True, negative=value < 0)
    return S64


def harden(type_: Type) -> Type:
    """The type without the softness of literals: what is stored and generated."""
    match type_:
        case LiteralType(bits=bits, signed=signed):
            return IntType(bits, signed)
        case TupleType(elements=elements):
            return TupleType(tuple(harden(element) for element in elements))
        case RecordType(fields=fields):
            return RecordType(tuple((name, harden(item)) for name, item in fields))
    return type_


def promote(left: Type, right: Type) -> Type | None:
    """The type that both convert to without an explicit cast; None: there is none."""
    if left == right:
        return left
    match left, right:
        case (UnresolvedType(), _):
            return right
        case (_, UnresolvedType()):
            return left
        case IntType(), IntType():
            return promote_integers(left, right)
        case (EnumType(), IntType()) | (IntType(), EnumType()):
            return promote_integers(enum_integer(left), enum_integer(right))
        case EnumType(name=a), EnumType(name=b) if a == b:
            return left if left.bits >= right.bits else right
        case EnumType(), EnumType():
            return promote_integers(enum_integer(left), enum_integer(right))
        case StringType(size=a), StringType(size=b):
            return StringType(max(a, b))
        case BufferType(size=a), BufferType(size=b):
            return BufferType(max(a, b))
        case TupleType(elements=a), TupleType(elements=b):
            return _promote_tuples(a, b)
        case RecordType(fields=a), RecordType(fields=b):
            return _promote_records(a, b)
        case PointerType(), PointerType():
            return promote_pointers(left, right)
        case ArrayType(element=a, count=m), ArrayType(element=b, count=n) if m == n and same_shape(a, b):
            return left
        case TimestampType(clock=a), TimestampType(clock=b) if a == b:
            return left if left.format else right
        case TaggedType(), TaggedType():
            return None
    return None


def enum_integer(type_: Type) -> IntType:
    """An enum as the integer it is."""
    if isinstance(type_, EnumType):
        return IntType(type_.bits, type_.signed)
    assert isinstance(type_, IntType)
    return type_


def promote_integers(left: IntType, right: IntType) -> IntType:
    """Same sign: the wider. Different: a literal takes the other's sign, else the next wider signed type."""
    bits = max(left.bits, right.bits)
    match left, right:
        case LiteralType(negative=a), LiteralType(negative=b):
            return LiteralType(bits, signed=(left.signed and right.signed) or a or b, negative=a or b)
        case (LiteralType(negative=False), other) | (other, LiteralType(negative=False)) if not other.signed:
            return IntType(bits, signed=False)
    if left.signed == right.signed:
        return IntType(bits, left.signed)
    unsigned = left if not left.signed else right
    return IntType(min(64, max(bits, unsigned.bits * 2)), signed=True)


def same_shape(left: Type, right: Type) -> bool:
    """Equal but for the address spaces of the pointers in them."""
    match left, right:
        case PointerType(target=a), PointerType(target=b):
            return same_shape(a, b)
        case ArrayType(element=a, count=m), ArrayType(element=b, count=n):
            return m == n and same_shape(a, b)
    return harden(left) == harden(right)


def promote_pointers(left: PointerType, right: PointerType) -> PointerType | None:
    target = left.target
    if not same_shape(left.target, right.target):
        if isinstance(left.target, VoidType):
            target = right.target
        elif not isinstance(right.target, VoidType):
            return None
    space = left.space if left.space is not AddressSpace.NONE else right.space
    return PointerType(target, space)


def _promote_tuples(left: tuple[Type, ...], right: tuple[Type, ...]) -> Type | None:
    if len(left) != len(right):
        return None
    elements = tuple(promote(a, b) for a, b in zip(left, right, strict=True))
    known = tuple(element for element in elements if element is not None)
    return TupleType(known) if len(known) == len(elements) else None


def _promote_records(left: tuple[tuple[str, Type], ...], right: tuple[tuple[str, Type], ...]) -> Type | None:
    """By name: the order of the first stays."""
    others = dict(right)
    if set(others) != {name for name, _ in left} or len(left) != len(right):
        return None
    fields: list[tuple[str, Type]] = []
    for name, item in left:
        both = promote(item, others[name])
        if both is None:
            return None
        fields.append((name, both))
    return RecordType(tuple(fields))


def arithmetic_type(operator: str, left: Type, right: Type) -> IntType:
    """Of integers: 64 bits. A difference is signed; a shift has the sign of what is shifted."""
    a, b = _as_integer(left), _as_integer(right)
    if operator == "-":
        return S64
    if operator in ("<<", ">>"):
        return S64 if a.signed else U64
    both = promote_integers(a, b)
    return S64 if both.signed else U64


def _as_integer(type_: Type) -> IntType:
    if isinstance(type_, BoolType):
        return IntType(8, signed=False)
    return enum_integer(type_)


def comparison_type(left: Type, right: Type) -> Type:
    """The one integer type in which two integers are compared."""
    if isinstance(left, BoolType) and isinstance(right, BoolType):
        return left
    return harden(promote_integers(_as_integer(left), _as_integer(right)))


def yielded_type(aggregate: AggregateType) -> Type | None:
    """What a map of this aggregation is in an expression; None when it can't be used in one."""
    if aggregate.kind is Aggregation.COUNT:
        return S64
    if aggregate.kind in CASTABLE:
        return S64 if aggregate.signed else U64
    return None


def stats_record(aggregate: AggregateType) -> RecordType:
    """One value of a stats() map where it is printed: what bpftrace shows of it."""
    number = S64 if aggregate.signed else U64
    return RecordType((("count", U64), ("average", number), ("total", number)))


def aggregate_name(aggregate: AggregateType) -> str:
    return f"{aggregate.kind.value}()"


def is_known(type_: Type) -> bool:
    """Whether nothing in it is unresolved."""
    match type_:
        case UnresolvedType():
            return False
        case TupleType(elements=elements):
            return all(is_known(element) for element in elements)
        case RecordType(fields=fields):
            return all(is_known(item) for _, item in fields)
    return True


def is_truth(type_: Type) -> bool:
    """Whether it may stand as a condition."""
    return is_integer(type_) or isinstance(type_, PointerType | UnresolvedType)


def is_printable(type_: Type) -> bool:
    return not isinstance(type_, NoneType | VoidType | AggregateType)


def pointed_size(type_: PointerType) -> int:
    """What a step of one adds to such a pointer; 0 behind it counts as a byte."""
    return max(1, size_of(type_.target)) if not isinstance(type_.target, UnresolvedType) else 1


def base_name(type_: Type) -> str:
    """The family of a type, as `typeinfo(x).base_type` gives it and diagnostics name it."""
    match type_:
        case IntType() | EnumType():
            return "int"
        case BoolType():
            return "bool"
        case PointerType():
            return "pointer"
        case StringType():
            return "string"
        case ArrayType():
            return "array"
        case TupleType():
            return "tuple"
        case RecordType():
            return "record"
        case StructType():
            return "c_struct"
        case BufferType():
            return "buffer"
        case NoneType():
            return "none"
        case VoidType():
            return "void"
        case StackType(user=user):
            return "ustack" if user else "kstack"
    return name_of(type_)


def show(type_: Type) -> str:
    """The type in a diagnostic."""
    return "unknown" if isinstance(type_, UnresolvedType) else name_of(harden(type_))
