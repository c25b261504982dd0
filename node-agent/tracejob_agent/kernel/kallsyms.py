"""The kernel's own symbols: addresses to names and names to addresses, from /proc/kallsyms.

The kernel writes its symbols in the order of their addresses, so the text itself is the search tree: reading it is
all the preparation (about 0.1 s and 6 MB, and only when the first kernel address is to be shown). Modules follow
unsorted; they are put in order when an address lies among them.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from functools import cached_property
from pathlib import Path

_FUNCTION_KINDS = b"tTwW"
_FUNCTION = re.compile(rb"^[0-9a-f]+ [tTwW] (\S+)", re.MULTILINE)
_MODULE_LINE = re.compile(rb"^([0-9a-f]+) [tTwW] (\S+)\t\[(\S+)\]$", re.MULTILINE)


class KernelSymbols:
    """Look-ups over the symbols of the running kernel; all answers are None where addresses are hidden."""

    def __init__(self, path: Path = Path("/proc/kallsyms"), *, traceable: str | None = None) -> None:
        """traceable: the functions that may be traced, one a line; None: those that the kernel lists itself."""
        self._path = path
        self.traceable = traceable
        self._resolved: dict[int, tuple[str, int] | None] = {}

    def address_of(self, name: str) -> int | None:
        """The address of a function or variable."""
        wanted = re.compile(rb"^([0-9a-f]+) [A-Za-z] " + re.escape(name.encode()) + rb"(?:\t\[\S+\])?$", re.MULTILINE)
        match = wanted.search(self._text)
        return int(match[1], 16) or None if match else None

    def resolve(self, address: int) -> tuple[str, int] | None:
        """(name, offset into it) of the function at `address`."""
        if address not in self._resolved:
            self._resolved[address] = self._find_module(address) or self._find(address)
        return self._resolved[address]

    def functions(self) -> list[str]:
        """Names of all functions."""
        return [name.decode("utf-8", "replace") for name in _FUNCTION.findall(self._text)]

    @cached_property
    def _text(self) -> bytes:
        try:
            return self._path.read_bytes()
        except OSError:
            return b""

    @cached_property
    def _core_end(self) -> int:
        """Where the kernel's own symbols end and the modules' begin."""
        first = self._text.find(b"\t[")
        return len(self._text) if first < 0 else self._text.rfind(b"\n", 0, first) + 1

    @cached_property
    def _modules(self) -> list[tuple[int, str]]:
        found = [(int(line[0], 16), line[1].decode()) for line in _MODULE_LINE.findall(self._text, self._core_end)]
        return sorted(found)

    def _find_module(self, address: int) -> tuple[str, int] | None:
        if not self._modules or address < self._modules[0][0]:
            return None
        start, name = self._modules[bisect_right(self._modules, address, key=lambda item: item[0]) - 1]
        core = self._find(address)
        return (name, address - start) if core is None or core[1] > address - start else None

    def _find(self, address: int) -> tuple[str, int] | None:
        text, low, high = self._text, 0, self._core_end
        while low < high:  # the last line whose address isn't above ours
            start = text.rfind(b"\n", 0, (low + high) // 2) + 1
            start = max(start, low)
            end = text.find(b"\n", start) + 1 or high
            if int(text[start : start + 16], 16) <= address:
                low = end
            else:
                high = start
        best: tuple[str, int] | None = None
        while low > 0:  # walk back over data and to the first of several names for the place
            start = text.rfind(b"\n", 0, low - 1) + 1
            fields = text[start:low].split()
            value = int(fields[0], 16)
            if best is not None and address - value != best[1]:
                break
            if not value:
                break
            if fields[1] in _FUNCTION_KINDS:
                best = fields[2].decode("utf-8", "replace"), address - value
            low = start
        return best
