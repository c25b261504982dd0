"""C's base types by any of their spellings, and declarations of one variable: text in, Types out."""

from __future__ import annotations

from collections.abc import Callable

from tracelang.types import VOID, AddressSpace, BoolType, IntType, PointerType, Type

_BASE_WORDS = {"unsigned", "signed", "long", "short", "char", "int", "__signed__"}
_QUALIFIERS = {"const", "volatile", "restrict", "__restrict", "__user", "__rcu", "__percpu", "struct_group"}
_FIXED = {
    **{f"{sign}{bits}": (bits, sign == "s") for sign in "us" for bits in (8, 16, 32, 64)},
    **{f"__{sign}{bits}": (bits, sign == "s") for sign in "us" for bits in (8, 16, 32, 64)},
    **{f"{'' if signed else 'u'}int{bits}_t": (bits, signed) for signed in (True, False) for bits in (8, 16, 32, 64)},
    **{f"{'' if signed else 'u'}int{bits}": (bits, signed) for signed in (True, False) for bits in (8, 16, 32, 64)},
    "size_t": (64, False),
    "ssize_t": (64, True),
    "uintptr_t": (64, False),
    "intptr_t": (64, True),
    "pid_t": (32, True),
    "uid_t": (32, False),
    "gid_t": (32, False),
}  # fmt: skip


def base_type(name: str) -> Type | None:
    """ "unsigned long", "long unsigned int", "u32", "bool", "void"; None for what isn't a base type."""
    if name == "void":
        return VOID
    if name in ("bool", "_Bool"):
        return BoolType()
    if name in _FIXED:
        bits, signed = _FIXED[name]
        return IntType(bits, signed)
    words = name.split()
    if not words or not set(words) <= _BASE_WORDS:
        return None
    if "char" in words:
        bits = 8
    elif "short" in words:
        bits = 16
    elif "long" in words:
        bits = 64
    else:
        bits = 32
    return IntType(bits, signed="unsigned" not in words)


def parse_type(text: str, *, space: AddressSpace, named: Callable[[str], Type | None]) -> Type | None:
    """A C type with stars, qualifiers allowed; `named` knows typedefs, structs and enums."""
    stars = text.count("*")
    words = [word for word in text.replace("*", " ").split() if word not in _QUALIFIERS]
    name = " ".join(words)
    type_ = base_type(name) or named(name)
    if type_ is None:
        if not stars:
            return None
        type_ = VOID  # a pointer is worth having even when nobody knows what it points to
    for _ in range(stars):
        type_ = PointerType(type_, space)
    return type_
