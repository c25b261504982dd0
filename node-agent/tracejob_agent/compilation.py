"""The child's part of a preparation: it parses, types and writes C, has that compiled, and packs up what was made."""

import gc
import marshal
import os
import time
from _signal import SIG_UNBLOCK, SIGTERM, pthread_sigmask  # type: ignore[import-not-found]

from tracejob_agent.bpf.compiler import CompilerChild, leave_with
from tracejob_agent.errors import EngineError

# First of all: it loads its library while this process imports the front end. See serve().

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, NoReturn

    from tracejob_agent.preparation import Prepared
    from tracelang.compiler import CompileResult
    from tracelang.diagnostics import Diagnostics
    from tracelang.facts import Facts
    from tracelang.plan import CompileOptions, Plan
    from tracelang.source import Source

    FrontEnd = Callable[[], tuple[Facts, CompileOptions]]
    """Makes what the compiler asks, in the child: so its memory and its imports stay there."""

_FROM_THE_KERNEL_ALONE = frozenset(
    {"begin", "end", "tracepoint", "rawtracepoint", "interval", "profile", "software", "hardware", "self"}
)
"""Providers whose places don't depend on files or processes: plans over these are the same until the kernel changes."""

_ASKS_THE_MACHINE = r"\b(cgroupid|kaddr|uaddr|percpu_kaddr|include|import)\b"


class Compiled:
    """functions: byte code by C function. diagnostics: warnings."""

    __slots__ = ("diagnostics", "functions", "plan", "sources")

    def __init__(
        self, plan: "Plan", functions: dict[str, bytes], diagnostics: "Diagnostics", sources: "tuple[Source, ...]"
    ) -> None:
        self.plan = plan
        self.functions = functions
        self.diagnostics = diagnostics
        self.sources = sources


def serve(text: str, *, name: str, front_end: "FrontEnd", parent: int, descriptor: int) -> "NoReturn":
    """The child's life. Never returns into the agent's code."""
    gc.disable()  # the process is short-lived: nothing to collect
    try:
        with CompilerChild.start() as child:
            pthread_sigmask(SIG_UNBLOCK, (SIGTERM,))
            leave_with(parent)
            data = marshal.dumps(_outcome(child, text, name=name, front_end=front_end))
    except EngineError as error:  # no place for its files
        import pickle

        from tracejob_agent.preparation import FAILED

        data = marshal.dumps((FAILED, None, False, {}, pickle.dumps(error)))
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(data)
    os._exit(0)


def prepare_here(text: str, *, name: str, facts: "Facts", options: "CompileOptions") -> "Prepared":
    """A preparation in this process (but for bcc), without the cache. Raises what prepare() does."""
    import pickle

    from tracejob_agent.preparation import Prepared

    with CompilerChild.start() as child:
        stages, result, functions = _compile(child, text, name=name, front_end=lambda: (facts, options))
    compiled = Compiled(result.plan, functions, result.diagnostics, result.sources)
    return Prepared(None, pickle.dumps(compiled), stages)


def _outcome(
    child: CompilerChild, text: str, *, name: str, front_end: "FrontEnd"
) -> "tuple[str, Any, bool, dict[str, int], bytes]":
    """What goes to the parent: see preparation.prepare."""
    import pickle

    from tracejob_agent.errors import CompileFault
    from tracejob_agent.preparation import FAILED, MADE, REFUSED
    from tracelang.diagnostics import ProgramError

    try:
        stages, result, functions = _compile(child, text, name=name, front_end=front_end)
    except ProgramError as refusal:
        return REFUSED, None, False, {}, pickle.dumps((refusal.diagnostics, refusal.sources))
    except EngineError as error:
        return FAILED, None, False, {}, pickle.dumps(error)
    except Exception as error:
        import traceback

        fault = CompileFault(f"the compiler failed: {type(error).__name__}: {error}", traceback.format_exc())
        return FAILED, None, False, {}, pickle.dumps(fault)
    from tracejob_agent.launch_data import launch_data

    launch = None if result.diagnostics.items else launch_data(result.plan, functions)
    compiled = Compiled(result.plan, functions, result.diagnostics, result.sources)
    return MADE, launch, _is_kept(result, text), stages, pickle.dumps(compiled, protocol=pickle.HIGHEST_PROTOCOL)


def _compile(
    child: CompilerChild, text: str, *, name: str, front_end: "FrontEnd"
) -> tuple[dict[str, int], "CompileResult", dict[str, bytes]]:
    """(nanoseconds by stage, what the front end made, byte code)."""
    start = time.monotonic_ns()
    from tracejob_agent.bpf.code_cache import cached_code, keep_code
    from tracejob_agent.bpf.pricing import check_price
    from tracelang.compiler import compile_program

    facts, options = front_end()
    result = compile_program(text, name=name, facts=facts, options=options)
    check_price(result.plan.maps, options.kernel_memory)
    parsed = time.monotonic_ns()
    names = dict.fromkeys(name for program in result.plan.programs for name in (program.function, *program.callbacks))
    functions = cached_code(result.plan.c_source) if names else {}
    if functions is None:
        functions = child.compile(result.plan.c_source, names)
        keep_code(result.plan.c_source, functions)
    return {"parse": parsed - start, "compile": time.monotonic_ns() - parsed}, result, functions


def _is_kept(result: "CompileResult", text: str) -> bool:
    """Whether the text and the kernel are all that the plan was made from: no files, no processes, no addresses."""
    import re

    return (
        len(result.sources) == 1
        and not re.search(_ASKS_THE_MACHINE, text)
        and all(
            item.provider in _FROM_THE_KERNEL_ALONE for program in result.plan.programs for item in program.attachments
        )
    )
