"""USDT probes: the stapsdt notes of a binary in, places and arguments out."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from tracejob_agent.kernel.arch_x86_64 import register_field
from tracejob_agent.kernel.elf import Elf
from tracelang.facts import UsdtArgument

_ARGUMENT = re.compile(r"(?P<size>-?\d+)(?P<float>f?)@(?P<place>\S.*)$")
_MEMORY = re.compile(
    r"(?P<displacement>[^()]*)\(\s*(?P<base>%\w+)?\s*(?:,\s*(?P<index>%\w+)\s*(?:,\s*(?P<scale>[1248]))?)?\s*\)$"
)
_SYMBOL = re.compile(r"(?P<symbol>[A-Za-z_.$][\w.$@]*)?(?P<offset>(?:[+-]?(?:0[xX][0-9a-fA-F]+|\d+))*)$")
_NUMBER = re.compile(r"[+-]?(?:0[xX][0-9a-fA-F]+|\d+)")


@dataclass(frozen=True, slots=True)
class UsdtProbe:
    """One place of a probe. address: of the nop; semaphore: address of the counter (0: none)."""

    provider: str
    name: str
    address: int
    semaphore: int
    arguments: tuple[UsdtArgument, ...]


def usdt_probes(elf: Elf) -> Iterator[UsdtProbe]:
    base = elf.section(".stapsdt.base")
    for owner, kind, description in elf.notes(".note.stapsdt"):
        if owner != b"stapsdt" or kind != 3 or len(description) < 24:
            continue
        address, noted_base, semaphore = struct.unpack_from("<QQQ", description)
        # A prelinked binary has moved; the base section moved along.
        moved = base.address - noted_base if base else 0
        texts = description[24:].split(b"\0")
        if len(texts) < 3:
            continue
        provider, name, arguments = (text.decode("utf-8", "replace") for text in texts[:3])
        address += moved
        yield UsdtProbe(
            provider=provider,
            name=name,
            address=address,
            semaphore=semaphore + moved if semaphore else 0,
            arguments=tuple(parse_argument(text, elf=elf, address=address) for text in split_arguments(arguments)),
        )


def split_arguments(text: str) -> list[str]:
    """ "-4@%edi 8@-8(%rbp)" by argument; blanks inside a parenthesis don't part."""
    return re.findall(r"-?\d+f?@.*?(?=\s+-?\d+f?@|\s*$)", text)


def parse_argument(text: str, *, elf: Elf | None, address: int) -> UsdtArgument:
    """One argument; kind "unsupported" for what a BPF program can't read (vector registers)."""
    match = _ARGUMENT.match(text.strip())
    if not match:
        return UsdtArgument("unsupported", 8, False)
    size, place = int(match["size"]), match["place"].strip()
    width, signed = abs(size), size < 0
    unsupported = UsdtArgument("unsupported", width, signed)
    if match["float"]:
        return unsupported
    if place.startswith("$"):
        value = _NUMBER.fullmatch(place[1:])
        return UsdtArgument("const", width, signed, constant=int(place[1:], 0)) if value else unsupported
    if place.startswith("%"):
        register = register_field(place)
        return UsdtArgument("register", width, signed, register=register) if register else unsupported
    memory = _MEMORY.match(place)
    if memory is None:
        memory = _MEMORY.match(f"{place}(%rip)")  # a bare symbol: its own address
    if memory is None:
        return unsupported
    register = register_field(memory["base"]) if memory["base"] else ""
    index = register_field(memory["index"]) if memory["index"] else ""
    displacement = _displacement(memory["displacement"].strip(), elf=elf, address=address)
    if register is None or index is None or displacement is None:
        return unsupported
    scale = int(memory["scale"] or 1)
    return UsdtArgument("memory", width, signed, constant=displacement, register=register, index=index, scale=scale)


def _displacement(text: str, *, elf: Elf | None, address: int) -> int | None:
    """ "-8", "symbol", "symbol+4": a symbol counts from the probe's address, where the instruction pointer stands."""
    match = _SYMBOL.match(text)
    if not match:
        return None
    number = sum(int(item, 0) for item in _NUMBER.findall(match["offset"] or ""))
    if not match["symbol"]:
        return number
    symbol = elf.find_symbol(match["symbol"]) if elf else None
    return symbol.address - address + number if symbol else None
