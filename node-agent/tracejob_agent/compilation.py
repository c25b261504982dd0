"""The child's part of a preparation: it parses, types and writes C, has that compiled, and packs up what was made."""

import gc
import marshal
import os
import time
from _signal import SIG_UNBLOCK, SIGTERM, pthread_sigmask

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

    Answer = tuple[str, Any, dict[str, bytes], bool, dict[str, int], bytes]
    """What goes to the parent: kind, LaunchData or None, byte code, whether to keep it, stages, the rest pickled."""

MADE, REFUSED, FAILED = "made", "refused", "failed"
"""Kinds of answers: a plan, the user's mistakes, our own or the machine's."""

_FROM_THE_KERNEL_ALONE = frozenset(
    {"begin", "end", "tracepoint", "rawtracepoint", "interval", "profile", "software", "hardware", "self"}
)
"""Providers whose places don't depend on files or processes: plans over these are the same until the kernel changes."""

_ASKS_THE_MACHINE = r"\b(cgroupid|kaddr|uaddr|percpu_kaddr|include|import)\b"


class Compiled:
    """A plan with its warnings, and the texts that these point into."""

    __slots__ = ("diagnostics", "plan", "sources")

    def __init__(self, plan: "Plan", diagnostics: "Diagnostics", sources: "tuple[Source, ...]") -> None:
        self.plan = plan
        self.diagnostics = diagnostics
        self.sources = sources


def serve(text: str, *, name: str, front_end: "FrontEnd", parent: int, descriptor: int) -> "NoReturn":
    """The child's life. Never returns into the agent's code."""
    gc.disable()  # the process is short-lived: nothing to collect
    after: list[Callable[[], object]] = []
    try:
        with CompilerChild.start(closed=(descriptor,)) as child:
            pthread_sigmask(SIG_UNBLOCK, (SIGTERM,))
            leave_with(parent)
            _send(descriptor, _outcome(child, text, name=name, front_end=front_end, after=after))
            # The agent is at work already, while what this took is tidied up.
            for action in after:
                action()
    except EngineError as error:  # no place for its files
        _send(descriptor, _failed(error))
    os._exit(0)


def _send(descriptor: int, answer: "Answer") -> None:
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(marshal.dumps(answer))


def prepare_here(text: str, *, name: str, facts: "Facts", options: "CompileOptions") -> "Prepared":
    """A preparation in this process (but for bcc), without the cache. Raises what prepare() does."""
    from tracejob_agent.preparation import Prepared

    with CompilerChild.start() as child:
        answer = _compile(child, text, name=name, front_end=lambda: (facts, options), after=[])
    _, _, functions, _, stages, pickled = answer
    return Prepared(None, functions, pickled, stages=stages)


def _outcome(
    child: CompilerChild, text: str, *, name: str, front_end: "FrontEnd", after: "list[Callable[[], object]]"
) -> "Answer":
    from tracelang.diagnostics import ProgramError

    try:
        return _compile(child, text, name=name, front_end=front_end, after=after)
    except ProgramError as refusal:
        import pickle

        return REFUSED, None, {}, False, {}, pickle.dumps((refusal.diagnostics, refusal.sources))
    except EngineError as error:
        return _failed(error)
    except Exception as error:
        import traceback

        from tracejob_agent.errors import CompileFault

        return _failed(CompileFault(f"the compiler failed: {type(error).__name__}: {error}", traceback.format_exc()))


def _failed(error: EngineError) -> "Answer":
    import pickle

    return FAILED, None, {}, False, {}, pickle.dumps(error)


def _compile(
    child: CompilerChild, text: str, *, name: str, front_end: "FrontEnd", after: "list[Callable[[], object]]"
) -> "Answer":
    """after: takes what can wait until the answer is out."""
    start = time.monotonic_ns()
    from tracejob_agent.bpf.code_cache import cached_code, keep_code
    from tracejob_agent.bpf.pricing import check_price
    from tracelang.compiler import compile_program

    facts, options = front_end()
    result = compile_program(text, name=name, facts=facts, options=options)
    plan = result.plan
    check_price(plan.maps, options.kernel_memory)
    parsed = time.monotonic_ns()
    names = dict.fromkeys(name for program in plan.programs for name in (program.function, *program.callbacks))
    functions = cached_code(plan.c_source) if names else {}
    if functions is None:
        child.begin(plan.c_source, names)
    # What follows is done while the compiler is at it.
    import pickle

    from tracejob_agent.launch_data import launch_data

    launch = launch_data(plan, warnings=_warnings(result))
    pickled = pickle.dumps(Compiled(plan, result.diagnostics, result.sources), protocol=pickle.HIGHEST_PROTOCOL)
    is_kept = _is_kept(result, text)
    if functions is None:
        made = functions = child.finish()
        after.append(lambda: keep_code(plan.c_source, made))
    stages = {"parse": parsed - start, "compile": time.monotonic_ns() - parsed}
    return MADE, launch, functions, is_kept, stages, pickled


def _warnings(result: "CompileResult") -> tuple[str, str]:
    """What the user is told, plain and in color: as text, since who tells it has nothing imported yet."""
    if not result.diagnostics.items:
        return "", ""
    from tracelang.report import render_diagnostics

    plain, colored = (render_diagnostics(result.diagnostics, result.sources, color=color) for color in (False, True))
    return plain, colored


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
