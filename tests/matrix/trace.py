"""tracejob-bpftrace for a guest of the kernel matrix: the same command, compiled outside (host_compiler)."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).parents[1])

from matrix import host_compiler  # noqa: E402  # once the path is set
from tracejob_agent import bpftrace_cli  # noqa: E402  # once the path is set

if __name__ == "__main__":
    host_compiler.use()
    sys.exit(bpftrace_cli.main())
