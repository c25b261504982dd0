"""A program's text made ready to run: text in, plan and byte code out, without the memory that this takes.

    this process      a child                  its child
    imports what      parses, types, writes C  loads libbcc meanwhile, compiles
    running needs     <-- plan, byte code ---- <-- byte code

The front end and the facts (types, symbols) take some 30 MB and bcc 100 MB: neither stays with the agent. What was made
before on this kernel comes from the cache, without children.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import pickle
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from tracejob_agent.errors import CompileFault, EngineError
from tracejob_agent.kernel.cache import read_cached, write_cached
from tracelang.diagnostics import Diagnostics, ProgramError
from tracelang.facts import Facts
from tracelang.plan import CompileOptions, Plan
from tracelang.source import Source

if TYPE_CHECKING:
    from tracejob_agent.bpf.compiler import CompilerChild

_FROM_THE_KERNEL_ALONE = frozenset(
    {"begin", "end", "tracepoint", "rawtracepoint", "interval", "profile", "software", "hardware", "self"}
)
"""Providers whose places don't depend on files or processes: plans over these are the same until the kernel changes."""

_ASKS_THE_MACHINE = re.compile(r"\b(cgroupid|kaddr|uaddr|percpu_kaddr|include|import)\b")

FrontEnd = Callable[[], tuple[Facts, CompileOptions]]
"""Makes what the compiler asks, in the child: so its memory and its imports stay there."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """functions: byte code by C function. stages: nanoseconds. diagnostics: warnings."""

    plan: Plan
    functions: dict[str, bytes]
    diagnostics: Diagnostics
    sources: tuple[Source, ...]
    stages: dict[str, int]


@dataclass(frozen=True, slots=True)
class _Refusal:
    """A ProgramError on its way out of the child."""

    diagnostics: Diagnostics
    sources: tuple[Source, ...]


def prepare(
    text: str,
    *,
    name: str,
    front_end: FrontEnd,
    options_key: str,
    meanwhile: Callable[[], object] = lambda: None,
) -> Prepared:
    """Raises ProgramError for the user's mistakes, EngineError for ours or the machine's.

    options_key: everything besides the text that shapes the plan, as text. meanwhile: what to do while the child works.
    To be called while the process has only one thread, as it forks.
    """
    start = time.monotonic_ns()
    key = _cache_key(text, name, options_key)
    kept = _from_cache(key)
    if kept is not None:
        meanwhile()
        return replace(kept, stages={"cache": time.monotonic_ns() - start})
    answer, pid = _fork(text, name=name, front_end=front_end)
    try:
        meanwhile()
        with os.fdopen(answer, "rb") as stream:
            data = stream.read()
    finally:
        _, status = os.waitpid(pid, 0)
    if not data:
        raise CompileFault(f"the compiler's front end died (status {status})")
    made = pickle.loads(data)
    if isinstance(made, _Refusal):
        error = ProgramError(made.diagnostics)
        error.sources = made.sources
        raise error
    if isinstance(made, EngineError):
        raise made
    assert isinstance(made, Prepared)
    if _is_cacheable(made, text):
        write_cached(key, _sealed(data))
    return made


def prepare_here(text: str, *, name: str, facts: Facts, options: CompileOptions) -> Prepared:
    """The same in this process (but for bcc)."""
    from tracejob_agent.bpf.compiler import CompilerChild

    with CompilerChild.start() as child:
        return _prepare_with(child, text, name=name, front_end=lambda: (facts, options))


def _prepare_with(child: CompilerChild, text: str, *, name: str, front_end: FrontEnd) -> Prepared:
    from tracejob_agent.bpf.code_cache import cached_code, code_key, keep_code
    from tracejob_agent.bpf.pricing import check_price
    from tracelang.compiler import compile_program

    start = time.monotonic_ns()
    facts, options = front_end()
    result = compile_program(text, name=name, facts=facts, options=options)
    check_price(result.plan.maps, options.kernel_memory)
    parsed = time.monotonic_ns()
    names = dict.fromkeys(name for program in result.plan.programs for name in (program.function, *program.callbacks))
    key = code_key(result.plan.c_source)
    functions = cached_code(key) if names else {}
    if functions is None:
        functions = child.compile(result.plan.c_source, names)
        keep_code(key, functions)
    return Prepared(
        plan=result.plan,
        functions=functions,
        diagnostics=result.diagnostics,
        sources=result.sources,
        stages={"parse": parsed - start, "compile": time.monotonic_ns() - parsed},
    )


# --- the child ------------------------------------------------------------------------------------------------------


def _fork(text: str, *, name: str, front_end: FrontEnd) -> tuple[int, int]:
    """The descriptor that the answer comes from, and the child."""
    answer, ours = os.pipe2(os.O_CLOEXEC)
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        os.close(answer)
        _answer(text, name=name, front_end=front_end, parent=parent, descriptor=ours)
    os.close(ours)
    return answer, pid


def _answer(text: str, *, name: str, front_end: FrontEnd, parent: int, descriptor: int) -> NoReturn:
    """The child's life. Never returns into the agent's code."""
    try:
        from tracejob_agent.bpf.compiler import leave_with

        leave_with(parent)
        data = pickle.dumps(_outcome(text, name=name, front_end=front_end), protocol=pickle.HIGHEST_PROTOCOL)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(data)
        os._exit(0)
    except BrokenPipeError:
        os._exit(0)  # the agent was stopped meanwhile: nobody waits for the answer
    except BaseException:
        import traceback

        traceback.print_exc()
        os._exit(70)


def _outcome(text: str, *, name: str, front_end: FrontEnd) -> Prepared | _Refusal | EngineError:
    try:
        from tracejob_agent.bpf.compiler import CompilerChild

        # First of all: it loads its library while this process imports the front end.
        with CompilerChild.start() as child:
            return _prepare_with(child, text, name=name, front_end=front_end)
    except ProgramError as error:
        return _Refusal(error.diagnostics, error.sources)
    except EngineError as error:
        return error
    except Exception as error:
        import traceback

        return CompileFault(f"the compiler failed: {type(error).__name__}: {error}", traceback.format_exc())


# --- the cache ------------------------------------------------------------------------------------------------------


def _cache_key(text: str, name: str, options_key: str) -> str:
    machine = os.uname()
    namespace = Path("/proc/self/ns/pid").stat().st_ino
    parts = (machine.release, machine.version, machine.machine, str(namespace), _engine(), name, options_key, text)
    return f"plan-{hashlib.sha256(repr(parts).encode(errors='surrogateescape')).hexdigest()[:40]}"


def _engine() -> str:
    """Changes with every change of the compiler: the times and sizes of its files."""
    folders = [Path(__file__).parents[1] / "tracelang", Path(__file__).parent / "kernel"]
    marks = []
    while folders:
        with contextlib.suppress(OSError), os.scandir(folders.pop()) as entries:
            for entry in entries:
                if entry.is_dir():
                    folders.append(Path(entry.path))
                elif entry.name.endswith((".py", ".j2")):
                    status = entry.stat()
                    marks.append((entry.name, status.st_mtime_ns, status.st_size))
    return hashlib.sha256(repr(sorted(marks)).encode()).hexdigest()


def _from_cache(key: str) -> Prepared | None:
    data = read_cached(key)
    if data is None or hashlib.sha256(data[32:]).digest() != data[:32]:
        return None
    try:
        made = pickle.loads(data[32:])  # the folder is ours alone: see cache_folder
    except Exception:
        return None
    return made if isinstance(made, Prepared) else None


def _sealed(data: bytes) -> bytes:
    return hashlib.sha256(data).digest() + data


def _is_cacheable(made: Prepared, text: str) -> bool:
    """Whether the text and the kernel are all that the plan was made from: no files, no processes, no addresses."""
    return (
        len(made.sources) == 1
        and not _ASKS_THE_MACHINE.search(text)
        and all(
            item.provider in _FROM_THE_KERNEL_ALONE for program in made.plan.programs for item in program.attachments
        )
    )
