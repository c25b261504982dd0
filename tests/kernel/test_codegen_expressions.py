"""Expressions mean in the kernel what they mean in the language."""

from __future__ import annotations

import pytest

from kernel.codegen_run import AT, evaluated_all, keyed_map, local, number, scalar_map, set_map, text, variable
from tracelang import ir
from tracelang.ir import IntrinsicKind as Kind
from tracelang.types import (
    BOOL,
    S8,
    S16,
    S32,
    S64,
    U8,
    U16,
    U32,
    U64,
    ArrayType,
    BufferType,
    StringType,
    TupleType,
    Type,
)

pytestmark = pytest.mark.kernel


def hidden(value: int, type_: Type = S64) -> ir.Expr:
    """A number that the compiler can't fold: it goes through a map of its own."""
    name = f"in_{type_.bits}_{'s' if type_.signed else 'u'}"  # type: ignore[attr-defined]  # an integer type
    write = set_map(name, number(value, type_))
    return ir.Sequence(AT, type_, (write,), ir.MapValue(AT, type_, name, None))


INPUTS = tuple(
    scalar_map(f"in_{type_.bits}_{'s' if type_.signed else 'u'}", type_)
    for type_ in (S8, S16, S32, S64, U8, U16, U32, U64)
)


def arithmetic(operator: str, left: int, right: int, type_: Type = S64) -> ir.Expr:
    return ir.Arithmetic(AT, type_, operator, hidden(left, type_), hidden(right, type_))


def test_arithmetic_wraps_and_divides_as_the_language_says() -> None:
    cases = [
        (arithmetic("+", 2, 3), 5),
        (arithmetic("-", 2, 3), -1),
        (arithmetic("*", -4, 3), -12),
        (arithmetic("/", -7, 2), -3),
        (arithmetic("/", 7, -2), -3),
        (arithmetic("/", 7, 0), 0),
        (arithmetic("%", -7, 2), -1),
        (arithmetic("%", 7, 0), 7),
        (arithmetic("/", 2**64 - 1, 2, U64), 2**63 - 1),
        (arithmetic("%", 9, 0, U64), 9),
        (arithmetic("/", 9, 0, U32), 0),
        (arithmetic("+", 2**63 - 1, 1), -(2**63)),
        (arithmetic("+", 127, 1, S8), -128),
        (arithmetic("+", 255, 1, U8), 0),
        (arithmetic("*", 200, 2, U8), 144),
        (arithmetic("-", 0, 1, U32), 2**32 - 1),
        (arithmetic("-", 0, 1, U16), 65535),
        (arithmetic("&", 12, 10), 8),
        (arithmetic("|", 12, 10), 14),
        (arithmetic("^", 12, 10), 6),
        (arithmetic("<<", 1, 40), 1 << 40),
        (arithmetic(">>", -8, 1), -4),
        (arithmetic(">>", 2**64 - 8, 60, U64), 15),
        (arithmetic("<<", 1, 31, S32), -(2**31)),
    ]
    assert evaluated_all([expr for expr, _ in cases], *INPUTS) == [value for _, value in cases]


def test_comparisons_follow_the_sign_of_their_type() -> None:
    def compare(operator: str, left: int, right: int, type_: Type) -> ir.Expr:
        return ir.Compare(AT, BOOL, operator, hidden(left, type_), hidden(right, type_))

    cases = [
        (compare("<", -1, 1, S64), 1),
        (compare("<", 2**64 - 1, 1, U64), 0),
        (compare(">=", 5, 5, S32), 1),
        (compare("!=", 5, 6, U8), 1),
        (compare(">", -128, 127, S8), 0),
        (compare("<=", 200, 100, U8), 0),
        (compare("==", 65535, 65535, U16), 1),
    ]
    assert evaluated_all([expr for expr, _ in cases], *INPUTS) == [value for _, value in cases]


def test_conversions_extend_by_the_source_and_cut() -> None:
    cases = [
        (ir.Convert(AT, S64, hidden(-1, S8)), -1),
        (ir.Convert(AT, S64, hidden(255, U8)), 255),
        (ir.Convert(AT, U8, hidden(0x1234)), 0x34),
        (ir.Convert(AT, S8, hidden(0x80)), -128),
        (ir.Convert(AT, U32, hidden(-1)), 2**32 - 1),
        (ir.Convert(AT, BOOL, hidden(7)), 1),
        (ir.Convert(AT, BOOL, hidden(0)), 0),
        (ir.Unary(AT, S64, "-", hidden(5)), -5),
        (ir.Unary(AT, U8, "~", hidden(1, U8)), 254),
        (ir.Unary(AT, BOOL, "!", hidden(5)), 0),
        (ir.Intrinsic(AT, U16, Kind.BYTE_SWAP, (hidden(0x1234, U16),)), 0x3412),
        (ir.Intrinsic(AT, U32, Kind.BYTE_SWAP, (hidden(0x12345678, U32),)), 0x78563412),
        (ir.Intrinsic(AT, U8, Kind.BYTE_SWAP, (hidden(0x12, U8),)), 0x12),
    ]
    assert evaluated_all([expr for expr, _ in cases], *INPUTS) == [value for _, value in cases]


def test_only_the_side_that_decides_runs() -> None:
    def counted(value: int) -> ir.Expr:
        """Adds one to @runs, gives value."""
        step = ir.Evaluate(AT, ir.MapAdd(AT, S64, "runs", None, number(1), postfix=False))
        return ir.Sequence(AT, BOOL, (step,), number(value, BOOL))

    runs = ir.MapValue(AT, S64, "runs", None)
    exprs = [
        ir.Logical(AT, BOOL, "&&", number(0, BOOL), counted(1)),
        runs,
        ir.Logical(AT, BOOL, "||", counted(1), counted(1)),
        runs,
        ir.Logical(AT, BOOL, "&&", counted(1), counted(0)),
        runs,
        ir.Select(AT, S64, hidden(0), ir.Convert(AT, S64, counted(1)), number(42)),
        runs,
    ]
    assert evaluated_all(exprs, scalar_map("runs"), *INPUTS) == [0, 0, 1, 1, 0, 3, 42, 3]


def test_a_later_operand_does_not_change_an_earlier_one() -> None:
    set_nine = ir.Sequence(AT, S64, (ir.SetLocal(AT, 0, number(9)),), local(0))
    sums = ir.Arithmetic(AT, S64, "-", local(0), set_nine)
    got = evaluated_all([sums], before=[ir.SetLocal(AT, 0, number(5))], locals=[variable()])
    assert got == [-4]


def test_adding_to_maps_gives_the_old_or_the_new_number() -> None:
    def add(amount: int, *, postfix: bool, key: ir.Expr | None = None, name: str = "n") -> ir.Expr:
        return ir.MapAdd(AT, S64, name, key, number(amount), postfix)

    exprs = [
        add(1, postfix=True),
        add(1, postfix=False),
        add(5, postfix=True),
        ir.MapValue(AT, S64, "n", None),
        add(3, postfix=True, key=number(7), name="k"),
        add(-1, postfix=False, key=number(7), name="k"),
        ir.MapValue(AT, S64, "k", number(7)),
        ir.MapValue(AT, S64, "k", number(8)),
        ir.HasKey(AT, BOOL, "k", number(7)),
        ir.DeleteKey(AT, BOOL, "k", number(7)),
        ir.DeleteKey(AT, BOOL, "k", number(7)),
        ir.HasKey(AT, BOOL, "k", number(7)),
    ]
    assert evaluated_all(exprs, scalar_map("n"), keyed_map("k", S64)) == [0, 2, 2, 7, 0, 2, 2, 0, 1, 1, 0, 0]


def test_strings_compare_up_to_their_end() -> None:
    def kept(data: bytes, size: int, slot: int) -> ir.Stmt:
        return ir.SetLocal(AT, slot, text(data, size))

    a, b, c = (ir.Local(AT, StringType(size), slot) for slot, size in ((0, 16), (1, 64), (2, 64)))

    def same(left: ir.Expr, right: ir.Expr, length: int | None = None, *, equal: bool = True) -> ir.Expr:
        return ir.StringCompare(AT, BOOL, left, right, length, equal)

    def strncmp(left: ir.Expr, right: ir.Expr, length: int) -> ir.Expr:
        return ir.StringCompare(AT, U64, left, right, length, True, True)

    cases = [
        (same(a, text(b"openat")), 1),
        (same(a, text(b"open")), 0),
        (same(a, text(b"openat2")), 0),
        (same(a, text(b"a string longer than sixteen")), 0),
        (same(a, b), 1),
        (same(a, b, equal=False), 0),
        (same(b, c), 0),
        (same(b, c, 6), 1),
        (same(text(b"open"), a, 4), 1),
        (strncmp(a, text(b"openXX"), 4), 0),
        (strncmp(a, text(b"openXX"), 5), 1),
        (strncmp(b, c, 7), 1),
        (ir.Intrinsic(AT, S64, Kind.STRING_LENGTH, (a,)), 6),
        (ir.Intrinsic(AT, BOOL, Kind.STRING_CONTAINS, (c, text(b"at a"))), 1),
        (ir.Intrinsic(AT, BOOL, Kind.STRING_CONTAINS, (c, text(b"x"))), 0),
        (ir.Intrinsic(AT, BOOL, Kind.STRING_CONTAINS, (c, text(b""))), 1),
        (ir.Intrinsic(AT, S64, Kind.STRING_INDEX, (c, text(b"place"))), 12),
        (ir.Intrinsic(AT, BOOL, Kind.STRING_CONTAINS, (c, a)), 1),
        (ir.Intrinsic(AT, BOOL, Kind.STRING_CONTAINS, (a, c)), 0),
        (ir.Intrinsic(AT, S64, Kind.STRNCMP_DYNAMIC, (b, c, number(6))), 0),
        (ir.Intrinsic(AT, S64, Kind.STRNCMP_DYNAMIC, (b, c, number(9))), 1),
        (same(ir.Intrinsic(AT, StringType(64), Kind.STRING_CAT, (a, text(b"/x"))), text(b"openat/x")), 1),
        (same(ir.Intrinsic(AT, StringType(8), Kind.STRING_CAT, (a, text(b"/xyz"))), text(b"openat/")), 1),
    ]
    got = evaluated_all(
        [expr for expr, _ in cases],
        before=[kept(b"openat", 16, 0), kept(b"openat", 64, 1), kept(b"openat at a place", 64, 2)],
        locals=[variable(StringType(16), "a"), variable(StringType(64), "b"), variable(StringType(64), "c")],
    )
    assert got == [value for _, value in cases]


def test_big_strings_pass_the_verifier() -> None:
    big = StringType(1024)
    a, b = ir.Local(AT, big, 0), ir.Local(AT, big, 1)
    cases = [
        (ir.StringCompare(AT, BOOL, a, b, None, True), 0),
        (ir.Intrinsic(AT, S64, Kind.STRING_LENGTH, (a,)), 900),
        (ir.Intrinsic(AT, BOOL, Kind.STRING_CONTAINS, (a, text(b"xy"))), 0),
        (ir.Intrinsic(AT, S64, Kind.STRING_LENGTH, (ir.Intrinsic(AT, big, Kind.STRING_CAT, (a, b)),)), 1023),
    ]
    got = evaluated_all(
        [expr for expr, _ in cases],
        before=[
            ir.SetLocal(AT, 0, ir.Convert(AT, big, text(b"x" * 900))),
            ir.SetLocal(AT, 1, ir.Convert(AT, big, text(b"x" * 899 + b"y"))),
        ],
        locals=[variable(big, "a"), variable(big, "b")],
    )
    assert got == [value for _, value in cases]


def test_tuples_arrays_and_buffers_keep_their_parts() -> None:
    pair = TupleType((U8, S64, StringType(5), S32))
    made = ir.MakeTuple(AT, pair, (number(3, U8), hidden(-9), text(b"four"), number(-2, S32)))
    kept = ir.Local(AT, pair, 0)
    array = ArrayType(S32, 3)
    items = ir.Local(AT, array, 1)
    wide = TupleType((S64, S64, StringType(40), S64))
    cases = [
        (ir.Member(AT, U8, kept, 0), 3),
        (ir.Member(AT, S64, kept, 8), -9),
        (ir.StringCompare(AT, BOOL, ir.Member(AT, StringType(5), kept, 16), text(b"four"), None, True), 1),
        (ir.Member(AT, S32, kept, 24), -2),
        (ir.MemoryCompare(AT, BOOL, kept, made, 32, True), 1),
        (ir.MemoryCompare(AT, BOOL, kept, made, 32, False), 0),
        (ir.Element(AT, S32, items, hidden(1), 4, 3), 22),
        (ir.Element(AT, S32, items, number(2), 4, 3), 33),
        (ir.Member(AT, S64, ir.Convert(AT, wide, kept), 56), -2),
        (ir.BitField(AT, U32, items, 0, 4, 1, 3), 0b011),
        (ir.BitField(AT, S32, items, 0, 4, 0, 3), 0b111),  # the sign of a bit field is left alone, as upstream does
        (ir.HasKey(AT, BOOL, "t", made), 1),
        (ir.HasKey(AT, BOOL, "t", kept), 1),
        (ir.Member(AT, S64, ir.MapValue(AT, pair, "v", number(1)), 8), -9),
        (ir.Member(AT, S64, ir.MapValue(AT, pair, "v", number(2)), 8), 0),
    ]
    numbers = ir.Local(AT, ArrayType(S32, 3), 1)
    fill = [
        ir.Store(
            AT,
            ir.PointerAdd(AT, U64, ir.AddressOf(AT, U64, numbers), number(at), 4),
            number(value, S32),
            space=__import__("tracelang.types", fromlist=["AddressSpace"]).AddressSpace.BPF,
        )
        for at, value in enumerate((7, 22, 33))
    ]
    got = evaluated_all(
        [expr for expr, _ in cases],
        keyed_map("t", pair),
        keyed_map("v", S64, pair),
        *INPUTS,
        before=[
            ir.SetLocal(AT, 0, made),
            *fill,
            set_map("t", number(1), kept),
            set_map("v", kept, number(1)),
        ],
        locals=[variable(pair, "p"), variable(array, "items")],
    )
    assert got == [value for _, value in cases]


def test_buffers_are_cut_and_widened() -> None:
    four = ir.Intrinsic(AT, BufferType(4), Kind.READ_BUFFER, (ir.Local(AT, ArrayType(U8, 8), 0), number(3)))
    kept = ir.Local(AT, BufferType(4), 1)
    cases = [
        (ir.Member(AT, U32, kept, 0), 3),
        (ir.Member(AT, U8, ir.Convert(AT, BufferType(16), kept), 4), 0x31),
        (ir.Member(AT, U32, ir.Convert(AT, BufferType(2), kept), 0), 2),
    ]
    got = evaluated_all(
        [expr for expr, _ in cases],
        before=[
            ir.SetLocal(AT, 0, ir.Convert(AT, ArrayType(U8, 8), text(b"1234567"))),
            ir.SetLocal(AT, 1, four),
        ],
        locals=[variable(ArrayType(U8, 8), "bytes"), variable(BufferType(4), "b")],
    )
    assert got == [value for _, value in cases]
