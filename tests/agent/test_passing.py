"""Where arguments are passed, by the System V calling convention."""

from __future__ import annotations

from tracejob_agent.kernel.passing import Leaf, Passed, Spot, spots

INT = Passed(4, (Leaf(0, 4),))
LONG_PAIR = Passed(16, (Leaf(0, 8), Leaf(8, 8)))
DOUBLE = Passed(8, (Leaf(0, 8, True),))
WIDE = Passed(16, (Leaf(0, 16),))
LARGE = Passed(32, (Leaf(0, 8), Leaf(8, 8), Leaf(16, 8)))


def registers(*arguments: Passed, result: Passed | None = None) -> list[int]:
    return [spot.register for spot in spots(arguments, result=result)]


def test_numbers_and_small_structs_take_registers_in_order() -> None:
    assert registers(INT, LONG_PAIR, INT) == [0, 1, 3]


def test_a_struct_that_doesnt_fit_leaves_the_registers_to_those_behind_it() -> None:
    found = spots([INT, INT, INT, INT, INT, LONG_PAIR, INT, INT])
    assert found[4:] == [Spot(register=4), Spot(stack=0), Spot(register=5), Spot(stack=2)]


def test_a_large_struct_is_on_the_stack() -> None:
    assert spots([INT, LARGE, INT]) == [Spot(register=0), Spot(stack=0), Spot(register=1)]


def test_numbers_with_a_fraction_take_no_integer_register() -> None:
    mixed = Passed(16, (Leaf(0, 8, True), Leaf(8, 4)))
    assert registers(DOUBLE, INT, mixed, INT) == [-1, 0, -1, 2]


def test_two_floats_and_an_int_in_one_word_are_an_integer() -> None:
    assert registers(Passed(8, (Leaf(0, 4, True), Leaf(4, 4))), INT) == [0, 1]


def test_the_ninth_float_is_on_the_stack() -> None:
    assert spots([DOUBLE] * 9)[-1] == Spot(stack=0)


def test_wide_integers_are_aligned_on_the_stack() -> None:
    assert spots([INT, INT, INT, INT, INT, INT, INT, WIDE])[6:] == [Spot(stack=0), Spot(stack=2)]


def test_a_large_result_takes_the_first_register() -> None:
    assert registers(INT, result=LARGE) == [1]
    assert registers(INT, result=LONG_PAIR) == [0]


def test_what_is_passed_by_reference_takes_a_register() -> None:
    assert registers(Passed(32, (), by_reference=True), INT) == [-1, 1]


def test_packed_structs_are_on_the_stack() -> None:
    assert spots([Passed(9, (Leaf(0, 1), Leaf(1, 8))), INT]) == [Spot(stack=0), Spot(register=0)]


def test_an_empty_struct_is_not_passed() -> None:
    assert spots([Passed(1, ()), INT]) == [Spot(), Spot(register=0)]
