"""The command of -c: forked and held before its exec, let go when everything is attached, ended with the session."""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import shutil
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from tracejob_agent.errors import TargetError

_ADDR_NO_RANDOMIZE = 0x0040000
_PR_SET_PDEATHSIG = 1
_TERMINATE_SECONDS = 2.0


_QUOTED = re.compile(r"""\"([^"]*)\"|'([^']*)'|\\(\s)""")
_WORD = re.compile(rf"(?:{_QUOTED.pattern}|\S)+")


def command_words(command: str) -> list[str]:
    """The words of -c. Quotes and backslashes keep blanks in a word together; all others are the command's own.

    >>> command_words("sh -c 'echo 1; echo 2' 'x'")
    ['sh', '-c', 'echo 1; echo 2', "'x'"]
    """
    words = []
    for found in _WORD.finditer(command):
        word = found.group()
        has_blank = any(char.isspace() for char in word)
        words.append(_QUOTED.sub(lambda part: "".join(part.groups("")), word) if has_blank else word)
    return words


@dataclass(slots=True)
class Child:
    """A started command. path: of its executable."""

    pid: int
    path: str
    _gate: int
    _status: int | None = None

    @staticmethod
    def start(command: str) -> Child:
        """Raises TargetError when there is nothing to run."""
        words = command_words(command)
        path = shutil.which(words[0]) if words else None
        if path is None:
            name = words[0] if words else ""
            raise TargetError(
                f"Failed to fork child: Path '{name}' does not exist or is not executable (No such file or directory)"
            )
        opens, gate = os.pipe2(os.O_CLOEXEC)
        pid = os.fork()
        if pid == 0:
            _wait_and_exec(path, words, opens, gate)
        os.close(opens)
        return Child(pid, str(Path(path).absolute()), gate)

    def let_go(self) -> None:
        if self._gate >= 0:
            with contextlib.suppress(BrokenPipeError):
                os.write(self._gate, b"x")
            os.close(self._gate)
            self._gate = -1

    def runs_its_command(self) -> bool:
        """Whether it is past its exec: until then it is a copy of us."""
        try:
            return Path(f"/proc/{self.pid}/exe").readlink() != Path("/proc/self/exe").readlink() or self._is_ours
        except OSError:
            return False

    @property
    def _is_ours(self) -> bool:
        """The command is the interpreter that runs us."""
        return self._gate < 0 and Path(self.path).resolve() == Path("/proc/self/exe").resolve()

    def has_ended(self) -> bool:
        if self._status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self._status = status
        return self._status is not None

    def close(self) -> None:
        """End it if it still runs."""
        if self._gate >= 0:
            os.close(self._gate)
            self._gate = -1
        if self.has_ended():
            return
        os.kill(self.pid, signal.SIGTERM)
        deadline = time.monotonic() + _TERMINATE_SECONDS
        while not self.has_ended() and time.monotonic() < deadline:
            time.sleep(0.01)
        if not self.has_ended():
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)


def _wait_and_exec(path: str, words: list[str], opens: int, gate: int) -> None:
    """In the child; never returns. Addresses aren't randomized, so that they can be named after its end."""
    try:
        os.close(gate)
        libc = ctypes.CDLL(None)
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
        libc.personality(_ADDR_NO_RANDOMIZE)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGPIPE):
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        if os.read(opens, 1):
            os.execv(path, words)
    finally:
        os._exit(127)
