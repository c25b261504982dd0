"""A program's text made ready to run: text in, plan and byte code out, without the memory that this takes.

    this process      a child                  its child
    waits             parses, types, writes C  loads libbcc meanwhile, compiles
    brings up, reads  <-- plan, byte code ---- <-- byte code

The front end and the facts (types, symbols) take some 30 MB and bcc 100 MB: neither stays with the agent. What was made
before on this kernel comes from the cache, without children.

What a kept plan depends on is its key, which is compared whole: the kernel's build and its modules, the processors, the
PID namespace, the engine's files, the options, the text. What can't be in the key is looked at again when the plan is
used (the records of its tracepoints), or keeps a plan from being kept at all (files, processes, addresses).
Part of the start: nothing may be imported here that takes long (docs/decisions/0002-direct-start.md).
"""

import marshal
import os
import sys
import time

# Not `signal`, which is made of enums: they take longer to import than the program to attach.
from _signal import (
    SIG_BLOCK,
    SIG_IGN,
    SIG_SETMASK,
    SIGINT,
    SIGTERM,
    pthread_sigmask,
    signal,
)

from tracejob_agent.errors import CompileFault
from tracejob_agent.kernel.cache import keep_entry, read_entry
from tracejob_agent.kernel.cpus import possible_cpus
from tracejob_agent.kernel.tracepoint_files import tracepoint_record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, NoReturn

    from tracejob_agent.compilation import Compiled, FrontEnd
    from tracejob_agent.launch_data import LaunchData
    from tracelang.diagnostics import Diagnostics
    from tracelang.plan import Plan
    from tracelang.source import Source


class Prepared:
    """launch: what `launch` brings up at once, None when the program needs a session for that.

    functions: byte code by C function. stages: nanoseconds. settle: what can wait until the program runs.
    """

    __slots__ = ("_compiled", "_pickled", "_settle", "functions", "launch", "stages")

    def __init__(
        self,
        launch: "LaunchData | None",
        functions: dict[str, bytes],
        pickled: bytes,
        *,
        stages: dict[str, int],
        settle: "Callable[[], object] | None" = None,
    ) -> None:
        self.launch = launch
        self.functions = functions
        self.stages = stages
        self._pickled = pickled
        self._settle = settle
        self._compiled: Compiled | None = None

    @property
    def plan(self) -> "Plan":
        return self._content().plan

    @property
    def diagnostics(self) -> "Diagnostics":
        """Warnings."""
        return self._content().diagnostics

    @property
    def sources(self) -> "tuple[Source, ...]":
        return self._content().sources

    def settle(self) -> None:
        """Keeps it for the next time and lets go of the child."""
        if self._settle is not None:
            self._settle()
            self._settle = None

    def _content(self) -> "Compiled":
        """Unpacked when it is first asked for: that takes most of the engine's modules."""
        if self._compiled is None:
            self.settle()
            import pickle

            self._compiled = pickle.loads(self._pickled)
            self._pickled = b""
        return self._compiled


def prepare(
    text: str,
    *,
    name: str,
    front_end: "FrontEnd",
    options_key: str,
    meanwhile: "Callable[[], object] | None" = None,
) -> Prepared:
    """Raises ProgramError for the user's mistakes, EngineError for ours or the machine's.

    options_key: everything besides the text that shapes the plan, as text. meanwhile: what to do while the child works.
    To be called while the process has only one thread, as it forks.
    """
    start = time.monotonic_ns()
    key = _key(text, name, options_key)
    kept = _from_cache(key)
    if kept is not None:
        return Prepared(*kept, stages={"cache": time.monotonic_ns() - start})
    # A signal that raises waits until somebody looks after the child.
    before = pthread_sigmask(SIG_BLOCK, (SIGINT, SIGTERM))
    answer, pid = _fork(text, name=name, front_end=front_end)
    try:
        pthread_sigmask(SIG_SETMASK, before)
        if meanwhile is not None:
            meanwhile()
        with os.fdopen(answer, "rb") as stream:
            data = stream.read()
    except BaseException:  # stopped meanwhile: it needn't finish
        os.kill(pid, SIGTERM)
        os.waitpid(pid, 0)
        raise
    if not data:
        _, status = os.waitpid(pid, 0)
        from tracejob_agent.bpf.header_tree import remove_trees_of
        from tracejob_agent.ended import ended

        remove_trees_of(pid)
        raise CompileFault(f"the compiler's front end died: {ended(status)}")
    kind, launch, functions, is_kept, stages, pickled = marshal.loads(data)
    if kind != "made":
        os.waitpid(pid, 0)
        _raise(kind, pickled)

    def settle() -> None:
        os.waitpid(pid, 0)
        if is_kept:
            keep_entry("plan", key, (launch, functions, pickled))

    return Prepared(launch, functions, pickled, stages=stages, settle=settle)


def _raise(kind: str, pickled: bytes) -> "NoReturn":
    import pickle

    content = pickle.loads(pickled)
    if kind == "failed":
        raise content
    from tracelang.diagnostics import ProgramError

    error = ProgramError(content[0])
    error.sources = content[1]
    raise error


def _fork(text: str, *, name: str, front_end: "FrontEnd") -> tuple[int, int]:
    """The descriptor that the answer comes from, and the child.

    To be called with SIGTERM blocked: serve() lets it through when its compiler has somebody to end it.
    """
    answer, ours = os.pipe2(os.O_CLOEXEC)
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        try:
            os.close(answer)
            signal(SIGINT, SIG_IGN)  # Ctrl-C goes to the whole group: the agent decides
            signal(SIGTERM, _leave)
            from tracejob_agent.compilation import serve

            serve(text, name=name, front_end=front_end, parent=parent, descriptor=ours)
        except (BrokenPipeError, SystemExit):
            os._exit(0)  # the agent was stopped meanwhile: nobody waits for the answer
        except BaseException:
            sys.excepthook(*sys.exc_info())
        finally:
            os._exit(70)
    os.close(ours)
    return answer, pid


def _leave(number: int, frame: object) -> "NoReturn":
    """By way of the context managers, which remove temporary files."""
    raise SystemExit


# --- the cache ------------------------------------------------------------------------------------------------------


def _key(text: str, name: str, options_key: str) -> str:
    machine = os.uname()
    return repr(
        (
            (machine.release, machine.version, machine.machine, possible_cpus()),
            sorted(os.listdir("/sys/module")),
            os.stat("/proc/self/ns/pid").st_ino,
            sys.hexversion,
            _engine(),
            name,
            options_key,
            text,
        )
    )


def _engine() -> tuple[int, int, int]:
    """Changes with every change of the engine: the number of its files, their bytes and the sum of their times."""
    ours = os.path.dirname(__file__)
    folders = [ours, f"{os.path.dirname(ours)}/tracelang"]
    count = size = times = 0
    while folders:
        with os.scandir(folders.pop()) as entries:
            for entry in entries:
                if entry.name.endswith((".py", ".j2", ".c")):
                    status = entry.stat()
                    count, size, times = count + 1, size + status.st_size, times + status.st_mtime_ns
                elif "." not in entry.name and entry.name != "__pycache__":
                    folders.append(entry.path)
    return count, size, times


def _from_cache(key: str) -> "tuple[LaunchData | None, dict[str, bytes], bytes] | None":
    kept: Any = read_entry("plan", key)
    return kept if kept is not None and (kept[0] is None or _is_true(kept[0])) else None


def _is_true(launch: "LaunchData") -> bool:
    """Whether the tracepoints' records still look as they did: a module may have been loaded in another version."""
    for name, record in launch["records"].items():
        found = tracepoint_record(name)
        if found is None or found[1] != record:
            return False
    return True
