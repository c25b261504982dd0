"""The small classes that the front end is made of."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

from tracelang.structs import Struct, field, replace


class Point(Struct, frozen=True):
    x: int
    y: int = 7


class Named(Point, frozen=True):
    name: str = "p"
    tags: dict[str, int] = field(default_factory=dict)


class Counter(Struct):
    value: int = 0

    def __post_init__(self) -> None:
        self.value += 100


class Token(Struct, eq=False):
    text: str


class Awkward(Struct):
    """Fields may be called anything."""

    kind: str = "k"
    items: list[int] = field(default_factory=list)
    _missing: int = 3


MANY = pytest.mark.parametrize("times", [1, 40], ids=["first", "after the constructor was compiled"])


@MANY
def test_fields_by_position_by_name_and_by_default(times: int) -> None:
    for _ in range(times):
        assert (Point(1).x, Point(1).y) == (1, 7)
        assert Point(1, y=2) == Point(1, 2) == Point(x=1, y=2)
        assert Named(1, 2, "q").name == "q"
        assert Named(1, name="q") == Named(1, 7, "q", {})
        assert Awkward() == Awkward("k", [], 3)


@MANY
def test_what_does_not_fit_is_refused(times: int) -> None:
    make: Any = Point  # mypy sees through the mistakes
    for _ in range(times):
        for values, named in (((), {}), ((1, 2, 3), {}), ((1,), {"z": 2}), ((1,), {"x": 1})):
            with pytest.raises(TypeError):
                make(*values, **named)
    with pytest.raises(TypeError, match="no field z"):
        replace(Point(1), z=3)


@MANY
def test_defaults_are_not_shared(times: int) -> None:
    for _ in range(times):
        one, other = Awkward(), Awkward()
        one.items.append(1)
        assert other.items == []


@MANY
def test_post_init_comes_last(times: int) -> None:
    assert [Counter(number).value for number in range(times)] == [number + 100 for number in range(times)]


def test_a_subclass_keeps_its_own_constructor() -> None:
    for number in range(40):
        Point(number)
    assert Named(1, 2, "late").name == "late"


def test_equality_is_by_type_and_fields() -> None:
    assert Point(1) == Point(1)
    assert Point(1) != Point(2)
    assert Point(1) != Named(1)
    assert len({Point(1), Point(1), Point(2)}) == 2
    assert Token("a") != Token("a")
    assert len({Token("a"), Token("a")}) == 2
    with pytest.raises(TypeError, match="unhashable"):
        hash(Counter())


def test_frozen_ones_stay_as_they_are() -> None:
    with pytest.raises(AttributeError, match="frozen"):
        Point(1).x = 2  # type: ignore[misc]  # that is the point
    with pytest.raises(AttributeError):
        Counter().other = 2  # type: ignore[attr-defined]  # slots


def test_they_can_be_changed_shown_matched_and_pickled() -> None:
    point = Named(1, 2, "q", {"a": 1})
    assert replace(point, x=5) == Named(5, 2, "q", {"a": 1})
    assert repr(Point(1)) == "Point(x=1, y=7)"
    assert pickle.loads(pickle.dumps(point)) == point
    match point:
        case Named(x, _, name):
            assert (x, name) == (1, "q")
        case _:
            pytest.fail("not matched")
