"""One kernel of the matrix: boot it, read how it ended, and once more when the kernel itself fell over.

Emulated, a kernel panics once in a long while at a place that has nothing to do with what it runs. A panic is never a
test that failed, so that the guest gets a second attempt; that is said in its result, whatever that is.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

from kernelmatrix.console import GuestEnded

ATTEMPTS: Final = 2
_NOT_BOOTED: Final = "didn't boot"
_KERNEL: Final = re.compile(r"guest: (\d+\.\S+)$")
_EXIT: Final = re.compile(r"guest: exit code (\d+)")
_PANIC: Final = re.compile(r"Kernel panic - not syncing: .*")
_SUMMARY: Final = re.compile(r"\d+ (?:passed|failed|skipped|error).* in [\d.]+s")


@dataclass(slots=True)
class Outcome:
    """code: the command's, None when the guest didn't get to its end. panic, ended: why it didn't."""

    version: str
    release: str = _NOT_BOOTED
    code: int | None = None
    panic: str = ""
    ended: str = ""
    seconds: float = 0.0
    earlier: tuple[str, ...] = ()
    """How attempts before this one ended."""
    summaries: list[str] = field(default_factory=list)

    def read(self, line: str) -> None:
        """Take from a line of the console what it says of the end."""
        if found := _EXIT.search(line):
            self.code = int(found[1])
        elif found := _KERNEL.search(line):
            self.release = found[1]
        elif found := _PANIC.search(line):
            self.panic = self.panic or found[0]
        elif _SUMMARY.match(line.strip("= ")):
            self.summaries.append(line.strip("= "))

    def end(self) -> str:
        """How it ended, in words."""
        if self.code is not None:
            said = "; ".join(self.summaries)
            return f"passed: {said}" if self.code == 0 else f"FAILED (exit code {self.code}): {said}"
        if self.ended:
            return f"ENDED from outside: it {self.ended}"
        return f"PANICKED: {self.panic}" if self.panic else "GONE before its command ended, without a word"

    def text(self) -> str:
        """The line for this kernel at the end of all output."""
        line = f"Linux {self.version:<5} {self.release:<28} {self.seconds:4.0f} s  {self.end()}"
        return "\n".join([line, *(f"            in attempt {i}: {end}" for i, end in enumerate(self.earlier, 1))])


def fell_over(outcome: Outcome) -> bool:
    """Whether the kernel or the emulator ended it, and neither a test nor a limit."""
    booted = outcome.release != _NOT_BOOTED
    return outcome.code is None and not outcome.ended and (booted or bool(outcome.panic))


def run(version: str, console: Callable[[], Iterator[str]], *, show: Callable[[str], None]) -> Outcome:
    """The last attempt's outcome. console boots the guest anew; show is given each line, and what is said of it."""
    earlier: list[str] = []
    while True:
        show(f"booting Linux {version}")
        outcome = _attempt(version, console, show=show)
        outcome.earlier = tuple(earlier)
        if not fell_over(outcome) or len(earlier) + 1 == ATTEMPTS:
            return outcome
        earlier.append(outcome.end())
        show("!" * 100)
        show(f"!!!! Linux {version} {outcome.end()}")
        show("!!!! No test failed: the kernel or its emulator did. It is booted ONCE more.")
        show("!" * 100)


def _attempt(version: str, console: Callable[[], Iterator[str]], *, show: Callable[[str], None]) -> Outcome:
    outcome, start = Outcome(version), time.monotonic()
    try:
        for line in console():
            show(line)
            outcome.read(line)
    except GuestEnded as reason:
        outcome.ended = str(reason)
        show(f"!!!! Linux {version} was ended: it {reason}. The lines above are its last.")
    outcome.seconds = time.monotonic() - start
    return outcome
