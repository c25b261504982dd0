"""The environment of one command, handed in: streams, variables, kubectl's own flags.

Comes in: what the process has. Goes out: an object that every command takes, so that a test can give it streams and
variables of its own. Results go to `out`, notices and errors to `err`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from kubectl_trace.client import Api


@dataclass(frozen=True, slots=True)
class KubeFlags:
    """kubectl's own flags; empty means "not given"."""

    namespace: str = ""
    context: str = ""
    kubeconfig: str = ""
    request_timeout: float = 0.0  # seconds; 0: the client's default

    def over(self, other: KubeFlags) -> KubeFlags:
        """These flags, with the gaps filled from `other` (the flags given before the verb)."""
        return KubeFlags(
            namespace=self.namespace or other.namespace,
            context=self.context or other.context,
            kubeconfig=self.kubeconfig or other.kubeconfig,
            request_timeout=self.request_timeout or other.request_timeout,
        )


@dataclass(slots=True)
class Context:
    """What a command may touch of the world."""

    stdin: TextIO
    out: TextIO
    err: TextIO
    environment: Mapping[str, str]
    flags: KubeFlags = field(default_factory=KubeFlags)
    verbosity: int = 0

    @classmethod
    def of_process(cls) -> Context:
        # Line by line even into a pipe: who watches a trace through grep wants to see it as it happens.
        for stream in (sys.stdout, sys.stderr):
            reconfigure = getattr(stream, "reconfigure", None)
            if reconfigure is not None:
                reconfigure(line_buffering=True, errors="backslashreplace")
        return cls(stdin=sys.stdin, out=sys.stdout, err=sys.stderr, environment=os.environ)

    def with_flags(self, flags: KubeFlags, *, verbosity: int) -> Context:
        return replace(self, flags=flags.over(self.flags), verbosity=max(self.verbosity, verbosity))

    def show(self, text: str) -> None:
        """A line of result."""
        self.out.write(text + "\n")

    def notice(self, text: str) -> None:
        """A line about what is going on; never part of the result."""
        self.err.write(text + "\n")

    def detail(self, text: str) -> None:
        """A notice for `-v`."""
        if self.verbosity:
            self.notice(text)

    def colour(self, stream: TextIO) -> bool:
        """Whether `stream` wants colour: a terminal, and NO_COLOR unset or empty."""
        return not self.environment.get("NO_COLOR") and self.environment.get("TERM") != "dumb" and stream.isatty()

    def is_terminal(self) -> bool:
        """Whether a person watches: stderr is a terminal that can be drawn on."""
        return self.environment.get("TERM", "dumb") != "dumb" and self.err.isatty()

    def api(self) -> Api:
        """The cluster, as the kubeconfig and the flags say; importing the client waits until here."""
        from kubectl_trace.client import connect

        return connect(self.flags, environment=self.environment)

    def read_program(self, path: str) -> str:
        """The text of a program file, `-` being standard input."""
        from kubectl_trace.errors import UsageMistake

        if path == "-":
            return self.stdin.read()
        try:
            return Path(path).read_text(encoding="utf-8", errors="surrogateescape")
        except OSError as error:
            raise UsageMistake(f"can't read the program {path}: {error.strerror}") from error
