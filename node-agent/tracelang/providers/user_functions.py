"""uprobe, uretprobe, usdt: places in binaries and libraries; paths are the container's."""

from __future__ import annotations

from collections.abc import Callable

from tracelang.facts import Facts, Location, Parameter
from tracelang.plan import ProgramType
from tracelang.providers.base import (
    ArgumentField,
    ContextKind,
    FieldSource,
    Malformed,
    Parsed,
    Positional,
    Provider,
    Result,
)
from tracelang.providers.numbers import parse_number
from tracelang.types import AddressSpace, PointerType, Type

LANGUAGES = ("cpp", "rust")
"""Whose readable names are understood."""


def _function_parser(name: str, *, offsets: bool) -> Callable[[tuple[str, ...]], Parsed | Malformed]:
    """`name:binary:function[+offset]`, `name:binary:address`, `name:binary:cpp:function`, `name:binary@file:line`.

    Parts are (binary, function or address, with "+offset", or "@file:line"); option "language" is set for `cpp`.
    """

    def parse(parts: tuple[str, ...]) -> Parsed | Malformed:
        options: dict[str, int | str] = {}
        if parts and "@" in parts[0] and all(part.isdecimal() for part in parts[1:]):
            return _source_line(parts) if offsets else Malformed("Source code location not allowed")
        if len(parts) == 3 and parts[1]:
            if parts[1] not in LANGUAGES:
                return Malformed(f"unsupported language type: {parts[1]}", f"use {' or '.join(LANGUAGES)}")
            options["language"] = parts[1]
        elif len(parts) != 2:
            return Malformed(
                f"{name} probe type requires 2 or 3 arguments, found {len(parts)}", f"write {name}:binary:function"
            )
        binary, target = parts[0], parts[-1]
        if not binary or not target:
            where = "a function, address, or source file and line (using DWARF)" if binary else "a binary"
            return Malformed(f"{name} should be attached to {where}")
        function, plus, text = target.rpartition("+") if "language" not in options else (target, "", "")
        if not plus:
            return Parsed((binary, target), options)
        offset = parse_number(text)
        if offset is None:
            return Malformed(f"Invalid offset: invalid integer: {text}")
        if offset and not offsets:
            return Malformed("Offset not allowed", f"{name} fires when the function returns")
        return Parsed((binary, f"{function}+{offset}"), {**options, "offset": offset})

    return parse


def _source_line(parts: tuple[str, ...]) -> Parsed | Malformed:
    binary, _, file = parts[0].partition("@")
    if len(parts) not in (2, 3) or not binary or not file:
        return Malformed("Invalid uprobe arguments, expected format: uprobe:TARGET@FILE:LINE[:COL]")
    return Parsed((binary, f"@{file}:{':'.join(parts[1:])}"))


def _parse_usdt(parts: tuple[str, ...]) -> Parsed | Malformed:
    match parts:
        case ("*",):
            return Parsed(("*", "", "*"))
        case (binary, name) if binary and name:
            return Parsed((binary, "", name))
        case (binary, namespace, name) if name:
            # Without a binary: all that the traced process has mapped.
            return Parsed((binary or "*", namespace, name))
    return Malformed(
        f"usdt probe type requires 2 or 3 arguments, found {len(parts)}", "write usdt:binary:namespace:name"
    )


def user_pointer(type_: Type) -> Type:
    return PointerType(type_.target, AddressSpace.USER) if isinstance(type_, PointerType) else type_


def _fields(facts: Facts, location: Location) -> dict[str, ArgumentField] | None:
    # Behind the first instruction, registers may hold something else.
    signature = facts.user_function(location.target, location.function) if not location.offset else None
    if signature is None:
        return None
    return {parameter.name: _field(parameter) for parameter in signature.parameters}


def _field(parameter: Parameter) -> ArgumentField:
    type_ = user_pointer(parameter.type)
    source = FieldSource.STACK if parameter.stack >= 0 else FieldSource.REGISTER
    offset = parameter.stack if parameter.stack >= 0 else parameter.register
    return ArgumentField(parameter.name, type_, source, offset, is_reference=parameter.is_reference)


UPROBE = Provider(
    name="uprobe",
    aliases=("u",),
    parse=_function_parser("uprobe", offsets=True),
    program_type=ProgramType.KPROBE,
    space=AddressSpace.USER,
    positional=Positional.REGISTER,
    stack_arguments=True,
    registers=True,
    has_fields=True,
    fields=_fields,
    context=ContextKind.REGISTERS,
    function_name=True,
    user_symbols=True,
    usage="uprobe:binary:function",
)
URETPROBE = Provider(
    name="uretprobe",
    aliases=("ur",),
    parse=_function_parser("uretprobe", offsets=False),
    program_type=ProgramType.KPROBE,
    space=AddressSpace.USER,
    registers=True,
    result=Result.REGISTER,
    context=ContextKind.REGISTERS,
    function_name=True,
    user_symbols=True,
    usage="uretprobe:binary:function",
)
USDT = Provider(
    name="usdt",
    aliases=("U",),
    parse=_parse_usdt,
    program_type=ProgramType.KPROBE,
    space=AddressSpace.USER,
    positional=Positional.USDT,
    registers=True,
    context=ContextKind.REGISTERS,
    user_symbols=True,
    usage="usdt:binary:namespace:name",
)
