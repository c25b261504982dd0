"""Stands in for the agent's compiler inside a guest of the kernel matrix: the machine outside compiles.

In: the C text. Out: its byte code. Emulated, clang takes seconds for what takes 50 ms outside, and byte code depends
on the text alone. That the agent's own compiler works in the guest too is test_own_compiler.py's business.
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterable
from types import TracebackType

import tracejob_agent.bpf.compiler
from tracejob_agent.bpf.packing import unpack
from tracejob_agent.errors import CompileFault

VARIABLE = "TRACEJOB_TEST_COMPILER"
"""Its value is the service's ADDRESS:PORT; the guest's init sets it."""


class HostCompiler:
    """What prepares programs uses of CompilerChild."""

    @staticmethod
    def start(*, closed: tuple[int, ...] = ()) -> HostCompiler:
        return HostCompiler()

    def __enter__(self) -> HostCompiler:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def begin(self, source: str, functions: Iterable[str]) -> None:
        text = ("\n".join(functions) + "\0" + source).encode()
        host, _, port = os.environ[VARIABLE].partition(":")
        self._service = socket.create_connection((host, int(port)), timeout=120)
        self._service.sendall(struct.pack("<I", len(text)) + text)

    def finish(self) -> dict[str, bytes]:
        answer = bytearray()
        with self._service:
            while chunk := self._service.recv(1 << 16):
                answer += chunk
        if answer[:1] == b"\1":
            return unpack(memoryview(answer)[1:])
        said = answer[1:].decode(errors="replace")
        raise CompileFault(f"the machine outside couldn't compile it: {said}", log=said)

    def compile(self, source: str, functions: Iterable[str]) -> dict[str, bytes]:
        self.begin(source, functions)
        return self.finish()


def use() -> None:
    """From now on, in this process and its children; without effect outside of a guest."""
    if VARIABLE in os.environ:
        tracejob_agent.bpf.compiler.CompilerChild = HostCompiler  # type: ignore[assignment,misc]  # the same shape
