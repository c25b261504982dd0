"""Where uprobe, uretprobe and usdt patterns attach in the target's binaries."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from tracejob_agent.kernel.binaries import Binaries, Binary
from tracejob_agent.kernel.demangle import demangle
from tracejob_agent.kernel.elf import Symbol
from tracejob_agent.kernel.instructions import is_boundary
from tracejob_agent.kernel.rust_names import demangle_rust
from tracejob_agent.kernel.source_lines import LineNotFound, SourceLine
from tracejob_agent.kernel.wildcard import has_wildcard, matcher
from tracelang.facts import Location

_FORCE = "Use --unsafe to force attachment. WARNING: This option could lead to data corruption in the target process."


def uprobe_locations(
    binaries: Binaries, provider: str, parts: tuple[str, ...], *, unsafe: bool = False
) -> Iterator[Location]:
    """parts: (binary, function or address, either with "+offset"; or a function of C++ or Rust by its readable name;
    or "@file:line", "@file:line:column").

    unsafe: also where a probe might stand inside of an instruction.
    """
    function, offset = _split(parts[-1])
    for binary in binaries.find(parts[0]):
        if binary.elf is None:
            continue
        if function.startswith("@"):
            with suppress(LineNotFound):
                yield from _at_line(binary, provider, function)
            continue
        if has_wildcard(function):
            yield from _matching(binary, provider, function, unsafe=unsafe)
            continue
        for symbol, inside in _places(binary, function, offset):
            forced = unsafe and not _outside(symbol, inside)
            if forced or not _danger(binary, symbol, inside):
                text = _shown(parts[-1], symbol=symbol, function=function, offset=offset)
                yield from _location(binary, provider, symbol=symbol, offset=inside, text=text)


def user_refusal(binaries: Binaries, provider: str, parts: tuple[str, ...]) -> str:
    """Why a probe can't be put there; "" when it is only that nothing has that name."""
    found = binaries.find(parts[0])
    if not found and parts[0] != "*":
        return f"{provider} target file '{parts[0]}' does not exist or is not executable"
    if provider == "usdt" or len(found) != 1:
        return ""
    binary = found[0]
    if binary.elf is None:
        return f"{binary.path} is not a 64-bit ELF file"
    function, offset = _split(parts[-1])
    if function.startswith("@"):
        return _line_refusal(binary, provider, function)
    if has_wildcard(function):
        return ""
    address = _number(function)
    if address is None or any(_places(binary, function, offset)):
        return ""
    return f"Could not resolve address: {binary.path}:{address + offset:#x}"


def user_danger(binaries: Binaries, parts: tuple[str, ...]) -> str:
    """Why a probe there might break the processes that run the file; "" when there is no such place."""
    function, offset = _split(parts[-1])
    found = binaries.find(parts[0])
    if len(found) != 1 or found[0].elf is None or function.startswith("@") or has_wildcard(function):
        return ""
    return next((_danger(found[0], *place) for place in _places(found[0], function, offset)), "")


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


def _at_line(binary: Binary, provider: str, text: str) -> Iterator[Location]:
    """ "@file:line" or "@file:line:column". Raises LineNotFound."""
    file, *numbers = text[1:].rsplit(":", 2 if text.count(":") > 1 else 1)
    address = binary.types.line(SourceLine(file, *(int(number) for number in numbers)))
    symbol = binary.function_at(address) if address is not None else None
    if address is not None and symbol is not None:
        yield from _location(binary, provider, symbol=symbol, offset=address - symbol.address, text=str(address))


def _line_refusal(binary: Binary, provider: str, text: str) -> str:
    try:
        if any(_at_line(binary, provider, text)):
            return ""
    except LineNotFound as error:
        return str(error)
    return f"No DWARF debug info found for '{binary.path}', cannot attach by source code location."


def _shown(written: str, *, symbol: Symbol, function: str, offset: int) -> str:
    """The last part of the probe's name. An address is shown in decimal."""
    address = _number(function)
    if address is not None:
        return str(address + offset)
    # Found by its readable name: shown by its own, in the language that it was asked in.
    written = written if offset else function
    return written if symbol.name == function else _by_own_name(symbol)


def _split(target: str) -> tuple[str, int]:
    """ "function+4" -> ("function", 4)."""
    function, plus, text = target.rpartition("+")
    offset = _number(text)
    return (function, offset) if plus and offset is not None and function else (target, 0)


def _places(binary: Binary, function: str, offset: int) -> Iterator[tuple[Symbol, int]]:
    """The functions that a name or an address means, and the offset inside of each."""
    address = _number(function)
    if address is not None:
        at = binary.function_at(address + offset)
        if at is not None:
            yield at, address + offset - at.address
        return
    symbol = binary.symbol(function)
    if symbol is not None:
        yield symbol, offset
        return
    # Not a symbol: a function of C++ or Rust by its readable name, with or without its parameters.
    for candidate in binary.functions():
        readable = demangle(candidate.name)
        if readable != candidate.name and function in (readable, readable.partition("(")[0]):
            yield candidate, offset


def _outside(symbol: Symbol, offset: int) -> bool:
    """Not in the function any more, which nobody can want, --unsafe or not."""
    return bool(symbol.size) and offset >= symbol.size


def _danger(binary: Binary, symbol: Symbol, offset: int) -> str:
    """Why a probe there might break the processes that run the file; "" when it is known to be safe."""
    if not symbol.size:
        return f"Could not determine boundary for {symbol.name} (symbol has size 0).\n{_FORCE}"
    if _outside(symbol, offset):
        return f"Offset outside the function bounds ('{symbol.name}' size is {symbol.size})"
    if offset and not is_boundary(binary.code_of(symbol), offset):
        return f"Could not add uprobe into middle of instruction: {binary.path}:{symbol.name}+{offset}\n{_FORCE}"
    return ""


def _matching(binary: Binary, provider: str, pattern: str, *, unsafe: bool) -> Iterator[Location]:
    matches = matcher(pattern)
    seen: set[str] = set()
    for symbol in sorted(binary.functions(), key=lambda item: item.name):
        if symbol.name in seen or (not symbol.size and not unsafe):
            continue
        readable = demangle(symbol.name)
        if matches(symbol.name) or (readable != symbol.name and matches(readable)):
            seen.add(symbol.name)
            text = symbol.name if matches(symbol.name) else _by_own_name(symbol)
            yield from _location(binary, provider, symbol=symbol, offset=0, text=text)


def _by_own_name(symbol: Symbol) -> str:
    """Of a function that was found by its readable name."""
    if not symbol.name.startswith(("_Z", "_R")):
        return symbol.name
    return f"{'cpp' if demangle_rust(symbol.name) is None else 'rust'}:{symbol.name}"


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


def _number(text: str) -> int | None:
    try:
        return int(text, 0)
    except ValueError:
        return None
