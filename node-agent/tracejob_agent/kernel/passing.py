"""Where x86-64's calling convention (System V) passes a function's arguments.

Comes in: what each argument is made of, in order; goes out: the first of its integer registers, or its place on the
stack. Numbers with a fraction are in registers that a probe doesn't see: they only have to be counted.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

INTEGER_REGISTERS = 6
FLOAT_REGISTERS = 8
_WORD = 8
_LARGEST = 16
"""Bytes: what is larger is never in registers."""


class Leaf(Struct, frozen=True):
    """A number or pointer inside of an argument."""

    offset: int
    size: int
    is_float: bool = False


class Passed(Struct, frozen=True):
    """An argument; one without leaves isn't passed at all. by_reference: its address is passed in its place."""

    size: int
    leaves: tuple[Leaf, ...]
    by_reference: bool = False


class Spot(Struct, frozen=True):
    """register: the first of its integer registers; stack: its first word above the return address. -1: neither."""

    register: int = -1
    stack: int = -1


def spots(arguments: Iterable[Passed], *, result: Passed | None = None) -> list[Spot]:
    """A result that is returned in memory takes the first register: its address is passed."""
    integers = 1 if result is not None and result.leaves and (result.by_reference or not _classes(result)) else 0
    floats = stack = 0
    found = []
    for argument in arguments:
        classes = "i" if argument.by_reference else _classes(argument)
        if not argument.leaves and not argument.by_reference:
            found.append(Spot())
        elif classes and _fits(classes, integers, floats):
            readable = not argument.by_reference and "f" not in classes
            found.append(Spot(register=integers if readable else -1))
            integers += classes.count("i")
            floats += classes.count("f")
        else:
            if not argument.by_reference and any(leaf.size > _WORD for leaf in argument.leaves):
                stack += stack % 2
            found.append(Spot(stack=-1 if argument.by_reference else stack))
            stack += 1 if argument.by_reference else _words(argument)
    return found


def _fits(classes: str, integers: int, floats: int) -> bool:
    """An argument is in registers as a whole or not at all."""
    enough_integers = integers + classes.count("i") <= INTEGER_REGISTERS
    return enough_integers and floats + classes.count("f") <= FLOAT_REGISTERS


def _classes(argument: Passed) -> str:
    """Of each word, whether it is in an integer (i) or float (f) register; empty: the argument is in memory."""
    leaves = argument.leaves
    misaligned = any(leaf.size and leaf.offset % min(leaf.size, _LARGEST) for leaf in leaves)
    if argument.size > _LARGEST or misaligned or any(leaf.is_float and leaf.size > _WORD for leaf in leaves):
        return ""
    words = ["f"] * _words(argument)
    for leaf in leaves:
        if not leaf.is_float:
            for word in range(leaf.offset // _WORD, min((leaf.offset + leaf.size - 1) // _WORD + 1, len(words))):
                words[word] = "i"
    return "".join(words)


def _words(argument: Passed) -> int:
    return (argument.size + _WORD - 1) // _WORD
