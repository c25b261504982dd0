"""Starts the local command as a fork of this process, which has imported it: a new interpreter takes 0.5 s emulated.

In: arguments, environment, folder. Out: an object like subprocess.Popen's. For the kernel matrix; elsewhere the cases
start the command as a user does.
"""

from __future__ import annotations

import gc
import io
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn, TextIO


def prepare() -> None:
    """Imports what a run imports, and makes it compile once: templates, patterns and tables are then there."""
    import tracejob_agent.bpftrace_cli
    import tracejob_agent.cli.front_end
    import tracejob_agent.cli.run
    import tracejob_agent.output.text_sink
    import tracejob_agent.session  # noqa: F401  # so that it is there when asked for
    from tracejob_agent.kernel.host_facts import HostFacts
    from tracelang.compiler import compile_program
    from tracelang.plan import CompileOptions

    compile_program("begin { @ = count(); }", name="warm", facts=HostFacts(), options=CompileOptions())
    gc.freeze()


class WarmProcess:
    """pid, stdout, poll() and wait(), as in subprocess.Popen."""

    def __init__(self, arguments: Sequence[str], *, environment: Mapping[str, str], folder: Path) -> None:
        output, theirs = os.pipe2(os.O_CLOEXEC)
        self.pid = os.fork()
        if self.pid == 0:
            _become(arguments, environment=environment, folder=folder, output=theirs)
        os.close(theirs)
        self.stdout: TextIO | None = os.fdopen(output, encoding="utf-8", errors="replace")
        self._code: int | None = None
        self._lock = threading.Lock()

    def poll(self) -> int | None:
        with self._lock:  # the time-out's thread asks too
            if self._code is None:
                pid, status = os.waitpid(self.pid, os.WNOHANG)
                self._code = os.waitstatus_to_exitcode(status) if pid else None
            return self._code

    def wait(self) -> int:
        while (code := self.poll()) is None:
            time.sleep(0.01)
        return code


def _become(arguments: Sequence[str], *, environment: Mapping[str, str], folder: Path, output: int) -> NoReturn:
    """The child: what a new process would be given, then the command's own main()."""
    code = 70
    try:
        os.setsid()
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.closerange(3, 256)
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(environment)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        sys.argv = ["tracejob-bpftrace", *arguments]
        sys.stdin = io.TextIOWrapper(io.FileIO(0, closefd=False))
        sys.stdout = io.TextIOWrapper(io.FileIO(1, "w", closefd=False), errors="surrogateescape")
        sys.stderr = io.TextIOWrapper(io.FileIO(2, "w", closefd=False), write_through=True)
        gc.disable()  # as short-lived as it is
        from tracejob_agent.bpftrace_cli import main

        code = main()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)
