"""A prepared program traced: results on stdout, notices on stderr, an exit status out."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from tracejob_agent.cli.child import Child
from tracejob_agent.cli.controller import LocalController
from tracejob_agent.cli.options import Options
from tracejob_agent.cli.run import Program
from tracejob_agent.cli.trials import Trial, Trials
from tracejob_agent.errors import TargetError, VerifierError
from tracejob_agent.launch import Launched
from tracejob_agent.lazy_facts import LazyFacts
from tracejob_agent.narration import silent
from tracejob_agent.notices import NOTIFICATION
from tracejob_agent.output.queued_text import Out, QueuedText
from tracejob_agent.output.sink_base import SinkOptions
from tracejob_agent.output.user_symbols import UserSymbols
from tracejob_agent.preparation import Prepared
from tracejob_agent.session import Session, SessionOptions
from tracejob_agent.target.symbol_target import Processes

if TYPE_CHECKING:
    from tracejob_agent.output.json_sink import JsonSink
    from tracejob_agent.output.text_sink import TextSink


def show_text(program: Program, options: Options, *, settings: dict[str, str], traces: bool) -> int:
    """-d codegen: the C text, then the run."""
    from tracejob_agent.cli.front_end import front_end
    from tracejob_agent.compilation import prepare_here

    facts, wanted = front_end(options, settings)
    prepared = prepare_here(program.text, name=program.name, facts=facts, options=wanted)
    sys.stdout.write(prepared.plan.c_source)
    sys.stdout.flush()
    return trace(program, options, prepared) if traces else 0


def trace(program: Program, options: Options, prepared: Prepared, *, launched: Launched | None = None) -> int:
    """launched: the program, when it has been attached and the user told so."""
    if launched is None and prepared.diagnostics.items and not options.has("no_warnings"):
        from tracelang.report import render_diagnostics

        sys.stderr.write(render_diagnostics(prepared.diagnostics, prepared.sources, color=sys.stderr.isatty()))
    with ExitStack() as stack:
        return _trace(program, options, prepared, launched=launched, stack=stack)


def _trace(
    program: Program, options: Options, prepared: Prepared, *, launched: Launched | None, stack: ExitStack
) -> int:
    facts = LazyFacts()
    child = Child.start(options.command) if options.command else None
    if child is not None:
        stack.callback(child.close)
    traced = options.pid or (child.pid if child else 0)
    symbols = UserSymbols(Processes(lambda: (traced,)) if traced else None)
    if child is not None:
        symbols.assume_executable(child.pid, child.path)
    dry_run = options.has("dry_run")
    out = io.StringIO() if dry_run else stack.enter_context(_output(options))
    trials = trials_of(options, out)
    controller = LocalController(
        pid=options.pid,
        child=child,
        symbols=symbols,
        dry_run=dry_run,
        trials=trials,
        unwound=tuple(options.dwarf_pids),
    )
    controller.announces = NOTIFICATION in os.environ and bool(options.output)
    sink_options = SinkOptions(
        program=program.name,
        quiet=options.has("quiet") or trials is not None or dry_run or launched is not None,
        warnings=not options.has("no_warnings"),
        notify=NOTIFICATION in os.environ and not options.output and launched is None,
        print_maps=trials is None,
        flush=options.buffering != "full",
        layouts=facts,
        user_symbols=symbols,
        cancelled=controller.is_signalled,
    )
    sink = _sink(options, out, sink_options)
    controller.sink = sink
    session = Session(
        prepared.plan,
        prepared.functions,
        launched=launched,
        sink=sink,
        controller=controller,
        options=SessionOptions(
            pids=(traced,) if traced else (),
            child=child.pid if child else 0,
            stages=prepared.stages,
            log_size=int(prepared.plan.config.get("log_size", 0)) if options.has("verbose") else 0,
            tell=_tell if options.has("verbose") else silent,
        ),
        btf=facts,
        symbols=symbols,
    )
    controller.watch_signals()
    try:
        code = session.run().exit_code
    except VerifierError as error:
        if options.has("verbose"):
            _tell(f"Kernel error log:\n{error.log}")
        raise
    return 1 if trials is not None and trials.failed else code


def _tell(text: str) -> None:
    sys.stderr.write(f"{text}\n")


def _sink(options: Options, out: Out, sink_options: SinkOptions) -> TextSink | JsonSink:
    if options.format == "json":
        from tracejob_agent.output.json_sink import JsonSink

        return JsonSink(out, sys.stderr, sink_options)
    from tracejob_agent.output.text_sink import TextSink

    return TextSink(out, sys.stderr, sink_options)


def trials_of(options: Options, out: Out) -> Trials | None:
    """What --bench, --test or --mode ask to be run."""
    for kind in Trial:
        if options.has(kind.value) or options.mode == kind.value:
            return Trials(kind, name_filter=options.probe_filter, out=out, json=options.format == "json")
    return None


@contextlib.contextmanager
def _output(options: Options) -> Iterator[Out]:
    """Where results go."""
    if options.output:
        try:
            file = Path(options.output).open("wb")  # noqa: SIM115 - closed below; what can fail here is the opening
        except OSError as error:
            raise TargetError(f'Failed to open output file: "{options.output}": {error.strerror}') from error
        with file:
            stream = QueuedText(file.fileno())
            yield stream
            stream.drain()
        return
    stream = QueuedText(1, is_eager=options.buffering == "none")
    yield stream
    stream.drain()
