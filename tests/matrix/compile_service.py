"""The compiler for a guest, on this side: C text from stdin, byte code to stdout; started for each connection.

An emulated processor takes seconds for what clang does here in 50 ms, and byte code depends on the C text alone. The
guest sends what `CompilerChild` sends to its child, and gets the same answer (host_compiler.py).
"""

from __future__ import annotations

import struct
import sys

from tracejob_agent.bpf.compiler import CompilerChild
from tracejob_agent.bpf.packing import pack
from tracejob_agent.errors import CompileFault

sys.path.pop(0)  # the folder of this file: nothing here is to be imported


def main() -> None:
    (size,) = struct.unpack("<I", sys.stdin.buffer.read(4))
    names, _, source = sys.stdin.buffer.read(size).decode().partition("\0")
    with CompilerChild.start() as compiler:
        try:
            answer = b"\1" + pack(compiler.compile(source, names.split("\n")))
        except CompileFault as fault:
            answer = b"\0" + f"{fault}\n{fault.log}".encode()
    sys.stdout.buffer.write(answer)
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
