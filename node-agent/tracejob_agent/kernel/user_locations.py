"""Where uprobe, uretprobe and usdt patterns attach in the target's binaries."""

from __future__ import annotations

from collections.abc import Iterator

from tracejob_agent.kernel.binaries import Binaries, Binary
from tracejob_agent.kernel.demangle import demangle
from tracejob_agent.kernel.elf import Symbol
from tracejob_agent.kernel.wildcard import has_wildcard, matcher
from tracelang.facts import Location


def uprobe_locations(binaries: Binaries, provider: str, parts: tuple[str, ...]) -> Iterator[Location]:
    """parts: (binary, function or address, either with "+offset"; or a C++ function by its readable name)."""
    name, target = parts[0], parts[-1]
    for binary in binaries.find(name):
        if binary.elf is None:
            continue
        if "+" in target and not target.startswith("operator"):
            function, _, text = target.rpartition("+")
        else:
            function, text = target, "0"
        address = _number(function)
        offset = _number(text) or 0
        if address is not None:
            yield from _at_address(binary, provider, address=address + offset, text=target)
        elif has_wildcard(function):
            yield from _matching(binary, provider, function)
        else:
            yield from _named(binary, provider, function=function, offset=offset, text=target)


def usdt_locations(binaries: Binaries, parts: tuple[str, ...]) -> Iterator[Location]:
    """parts: (binary, namespace or "", name); each place of a probe is a location."""
    name, namespace, probe_name = parts
    in_namespace, is_wanted = matcher(namespace or "*"), matcher(probe_name)
    for binary in binaries.find(name):
        if binary.elf is None:
            continue
        for probe in binary.usdt:
            offset = binary.elf.file_offset(probe.address)
            if offset is None or not (in_namespace(probe.provider) and is_wanted(probe.name)):
                continue
            yield Location(
                name=f"usdt:{binary.path}:{probe.provider}:{probe.name}",
                target=str(binary.opened),
                function=probe.name,
                address=offset,
                semaphore=(binary.elf.file_offset(probe.semaphore) or 0) if probe.semaphore else 0,
                usdt_arguments=probe.arguments,
                module=probe.provider,
            )


def _named(binary: Binary, provider: str, *, function: str, offset: int, text: str) -> Iterator[Location]:
    symbol = binary.symbol(function)
    if symbol is not None:
        if not symbol.size or offset < symbol.size:
            yield from _location(binary, provider, symbol=symbol, offset=offset, text=text)
        return
    # Not a symbol: a C++ function by its readable name, with or without its parameters.
    for candidate in binary.functions():
        readable = demangle(candidate.name)
        if readable != candidate.name and function in (readable, readable.partition("(")[0]):
            yield from _location(binary, provider, symbol=candidate, offset=offset, text=candidate.name)


def _matching(binary: Binary, provider: str, pattern: str) -> Iterator[Location]:
    matches = matcher(pattern)
    seen: set[str] = set()
    for symbol in sorted(binary.functions(), key=lambda item: item.name):
        readable = demangle(symbol.name)
        if symbol.name not in seen and (matches(symbol.name) or (readable != symbol.name and matches(readable))):
            seen.add(symbol.name)
            yield from _location(binary, provider, symbol=symbol, offset=0, text=symbol.name)


def _location(binary: Binary, provider: str, *, symbol: Symbol, offset: int, text: str) -> Iterator[Location]:
    place = binary.elf.file_offset(symbol.address) if binary.elf else None
    if place is not None:
        yield Location(
            name=f"{provider}:{binary.path}:{text}",
            target=str(binary.opened),
            function=symbol.name,
            address=place + offset,
            offset=offset,
        )


def _at_address(binary: Binary, provider: str, *, address: int, text: str) -> Iterator[Location]:
    place = binary.elf.file_offset(address) if binary.elf else None
    if place is not None:
        symbol = binary.function_at(address)
        yield Location(
            name=f"{provider}:{binary.path}:{text}",
            target=str(binary.opened),
            function=symbol.name if symbol else "",
            address=place,
            offset=address - symbol.address if symbol else 0,
        )


def _number(text: str) -> int | None:
    try:
        return int(text, 0)
    except ValueError:
        return None
