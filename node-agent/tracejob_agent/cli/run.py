"""One local run: the program's text and the options in; compiled, attached, shown; an exit status out.

The compiler's child is forked first: it loads bcc while the program is parsed. Byte code that was made before is taken
from the cache, and no child is needed.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from tracejob_agent.bpf.code_cache import cached_code, code_key, keep_code
from tracejob_agent.bpf.compiler import CompilerChild
from tracejob_agent.cli.child import Child
from tracejob_agent.cli.controller import LocalController
from tracejob_agent.cli.options import Options
from tracejob_agent.cli.trials import Trial, Trials
from tracejob_agent.errors import TargetError
from tracejob_agent.kernel.host_facts import HostFacts
from tracejob_agent.output.json_sink import JsonSink
from tracejob_agent.output.sink_base import NOTIFICATION, SinkOptions
from tracejob_agent.output.text_sink import TextSink
from tracejob_agent.output.user_symbols import UserSymbols
from tracejob_agent.session import Session, SessionOptions
from tracejob_agent.target.pid_namespace import pid_namespace_level
from tracelang.compiler import CompileResult, compile_program
from tracelang.plan import CompileOptions, Plan, ScopeOptions
from tracelang.report import render_diagnostics


@dataclass(frozen=True, slots=True)
class Program:
    """text: with what --include asked for in front; name: as messages call it."""

    name: str
    text: str


def facts_for(options: Options) -> HostFacts:
    """The machine as the target sees it."""
    root = Path("/")
    pids: tuple[int, ...] = ()
    if options.pid:
        pids = (options.pid,)
        root = target_root(options.pid)
    return HostFacts(
        roots=(root,),
        pids=pids,
        files=True,
        include_folders=tuple(options.include_folders),
        unsafe=options.has("unsafe"),
    )


def target_root(pid: int) -> Path:
    """The process's file system, when it isn't ours. Raises TargetError without such a process."""
    try:
        theirs = os.stat(f"/proc/{pid}/ns/mnt").st_ino  # noqa: PTH116 - a magic link: not to be resolved
    except OSError:
        raise TargetError("Failed to attach to pid: Unable to open pidfd (No such process)") from None
    return Path("/") if theirs == Path("/proc/self/ns/mnt").stat().st_ino else Path(f"/proc/{pid}/root")


def compile_options(options: Options, settings: dict[str, str], facts: HostFacts) -> CompileOptions:
    return CompileOptions(
        scope=ScopeOptions("pids") if options.pid else ScopeOptions(),
        pid_namespace_level=pid_namespace_level(facts),
        positional=tuple(options.positional),
        named=dict(options.named),
        config=settings,
        unsafe=options.has("unsafe"),
        warnings=not options.has("no_warnings"),
        count_hits=False,
    )


def run(program: Program, options: Options, *, settings: dict[str, str]) -> int:
    """Trace until the program, its child or the user ends it. Raises ProgramError and EngineError."""
    with ExitStack() as stack:
        started = time.monotonic_ns()
        compiler = stack.enter_context(CompilerChild.start())
        facts = facts_for(options)
        compiled = compile_program(
            program.text, name=program.name, facts=facts, options=compile_options(options, settings, facts)
        )
        if not options.has("no_warnings"):
            sys.stderr.write(render_diagnostics(compiled.diagnostics, compiled.sources, color=sys.stderr.isatty()))
        if "codegen" in options.stages or "all" in options.stages:
            sys.stdout.write(compiled.plan.c_source)
        parsed = time.monotonic_ns()
        functions = byte_code(compiled.plan, compiler)
        compiler.close()
        if options.mode == "codegen":
            return 0
        stages = {"parse": parsed - started, "compile": time.monotonic_ns() - parsed}
        return _trace(program, options, compiled, functions, facts=facts, stages=stages, stack=stack)


def byte_code(plan: Plan, compiler: CompilerChild) -> dict[str, bytes]:
    """Of all functions of the plan, by name; from the cache when this C text was compiled before."""
    names = list(dict.fromkeys(name for spec in plan.programs for name in (spec.function, *spec.callbacks)))
    if not names:
        return {}
    key = code_key(plan.c_source)
    functions = cached_code(key)
    if functions is None:
        functions = compiler.compile(plan.c_source, names)
        keep_code(key, functions)
    return functions


def _trace(
    program: Program,
    options: Options,
    compiled: CompileResult,
    functions: dict[str, bytes],
    *,
    facts: HostFacts,
    stages: dict[str, int],
    stack: ExitStack,
) -> int:
    child = Child.start(options.command) if options.command else None
    if child is not None:
        stack.callback(child.close)
    symbols = UserSymbols()
    if child is not None:
        symbols.assume_executable(child.pid, child.path)
    dry_run = options.has("dry_run")
    out = io.StringIO() if dry_run else stack.enter_context(_output(options))
    trials = trials_of(options, out)
    controller = LocalController(pid=options.pid, child=child, symbols=symbols, dry_run=dry_run, trials=trials)
    sink_options = SinkOptions(
        program=program.name,
        quiet=options.has("quiet") or trials is not None,
        warnings=not options.has("no_warnings"),
        notify=NOTIFICATION in os.environ,
        flush=options.buffering != "full",
        layouts=facts,
        kernel_symbols=facts.kernel_symbols,
        user_symbols=symbols,
        cancelled=controller.is_signalled,
    )
    sink = (JsonSink if options.format == "json" else TextSink)(out, sys.stderr, sink_options)
    controller.sink = sink
    target = options.pid or (child.pid if child else 0)
    session = Session(
        compiled.plan,
        functions,
        sink=sink,
        controller=controller,
        options=SessionOptions(pids=(target,) if target else (), stages=stages),
        btf=facts,
    )
    controller.watch_signals()
    code = session.run().exit_code
    return 1 if trials is not None and trials.failed else code


def trials_of(options: Options, out: TextIO) -> Trials | None:
    """What --bench, --test or --mode ask to be run."""
    for kind in Trial:
        if options.has(kind.value) or options.mode == kind.value:
            return Trials(kind, name_filter=options.probe_filter, out=out, json=options.format == "json")
    return None


@contextlib.contextmanager
def _output(options: Options) -> Iterator[TextIO]:
    """Where results go: what isn't text comes out as the bytes it was."""
    if options.output:
        with Path(options.output).open("w", encoding="utf-8", errors="surrogateescape", newline="") as file:
            yield file
        return
    stream = io.TextIOWrapper(
        io.BufferedWriter(io.FileIO(1, "w", closefd=False), 1 << 16),
        encoding="utf-8",
        errors="surrogateescape",
        newline="",
        write_through=options.buffering == "none",
    )
    yield stream
    stream.flush()
