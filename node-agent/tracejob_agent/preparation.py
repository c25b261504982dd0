"""A program's text made ready to run: text and facts in, plan and byte code out.

The compiler child is forked before the text is parsed: it loads its library on another CPU meanwhile. Where the cache
has seen the same text on this kernel, there is no child at all.
"""

from __future__ import annotations

import hashlib
import os
import time
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

from tracejob_agent.bpf.code_cache import cached_code, code_key, has_seen, keep_code, note_seen
from tracejob_agent.bpf.compiler import CompilerChild
from tracelang.diagnostics import Diagnostics
from tracelang.facts import Facts
from tracelang.plan import CompileOptions, Plan
from tracelang.source import Source


@dataclass(frozen=True, slots=True)
class Prepared:
    """functions: byte code by C function. stages: nanoseconds. diagnostics: warnings."""

    plan: Plan
    functions: dict[str, bytes]
    diagnostics: Diagnostics
    sources: tuple[Source, ...]
    stages: dict[str, int]


def prepare(text: str, *, name: str, facts: Facts, options: CompileOptions) -> Prepared:
    """Raises ProgramError for the user's mistakes, CompileFault for ours.

    To be called while the process has only one thread, as it forks.
    """
    start = time.monotonic_ns()
    text_key = _text_key(text, options)
    with _compiler(text_key) as child:
        from tracelang.compiler import compile_program

        result = compile_program(text, name=name, facts=facts, options=options)
        parsed = time.monotonic_ns()
        key = code_key(result.plan.c_source)
        functions = cached_code(key)
        if functions is None:
            functions = _compile(result.plan, child)
            keep_code(key, functions)
            note_seen(text_key)
    return Prepared(
        plan=result.plan,
        functions=functions,
        diagnostics=result.diagnostics,
        sources=result.sources,
        stages={"parse": parsed - start, "compile": time.monotonic_ns() - parsed},
    )


def _compiler(text_key: str) -> AbstractContextManager[CompilerChild | None]:
    return nullcontext() if has_seen(text_key) else CompilerChild.start()


def _compile(plan: Plan, child: CompilerChild | None) -> dict[str, bytes]:
    names = dict.fromkeys(name for program in plan.programs for name in (program.function, *program.callbacks))
    if not names:
        return {}
    if child is not None:
        return child.compile(plan.c_source, names)
    with CompilerChild.start() as late:  # seen before, but the byte code has been forgotten or the facts have changed
        return late.compile(plan.c_source, names)


def _text_key(text: str, options: CompileOptions) -> str:
    return hashlib.sha256(f"{os.uname().release}\0{options!r}\0{text}".encode(errors="surrogateescape")).hexdigest()[
        :40
    ]
