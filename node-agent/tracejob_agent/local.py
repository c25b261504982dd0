"""`tracejob-agent local`: traces this machine for a person, without a cluster; `kubectl trace run --local` becomes it.

A process, the processes of a name, a container, or the whole machine. Text for people; `-o jsonl` gives the records
that an agent in a cluster would write, `-o json` the last of them.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from tracejob_agent.bpf.loader import LoadedPlan
from tracejob_agent.errors import CompileFault, EngineError, OutputError, TargetError, VerifierError
from tracejob_agent.lazy_facts import LazyFacts
from tracejob_agent.output.user_symbols import SymbolTarget, UserSymbols
from tracejob_agent.preparation import prepare
from tracejob_agent.session import Session, SessionOptions
from tracejob_agent.sink import End, Finish, Sink
from tracejob_agent.target.cgroups import CgroupTree, processes
from tracejob_agent.target.pid_namespace import pid_namespace_level
from tracejob_agent.target.processes import named, root_folders
from tracejob_agent.target.scope import ProcessScope, slots_for, target_scope
from tracejob_agent.target.symbol_target import Cgroups, Processes
from tracelang.diagnostics import ProgramError
from tracelang.facts import Facts
from tracelang.plan import CompileOptions, MapRole, ScopeOptions
from tracelang.source import Source

if TYPE_CHECKING:
    import argparse

_LOOK_SECONDS = 0.5
_WRITE_SECONDS = 5.0
DONE, FAULT, PROGRAM_ERROR, NO_TARGET, INTERRUPTED = 0, 1, 2, 3, 130
"""Exit codes, those of `kubectl trace`."""


@dataclass(frozen=True, slots=True)
class LocalTarget:
    """At most one is given; none: the whole machine."""

    pid: int = 0
    comm: str = ""
    container: str = ""

    def scope(self, hierarchy: str) -> ScopeOptions:
        """hierarchy: that of CgroupTree, in which the container was found."""
        if self.container:
            return ScopeOptions("cgroups", slots_for(1), hierarchy=hierarchy)
        return ScopeOptions("pids") if self.pid or self.comm else ScopeOptions()


class LocalController:
    """Follows the target; Ctrl-C once ends the session with its results, a second one ends the process."""

    def __init__(self, target: LocalTarget, folder: Path | None) -> None:
        self._target = target
        self._folder = folder
        self._processes: ProcessScope | None = None
        self._signalled = False
        self._next_look = 0.0

    def watch_signals(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._note_signal)

    def pids(self) -> list[int]:
        """The target's processes now."""
        if self._folder is not None:
            return processes(self._folder)
        if self._target.comm:
            return named(self._target.comm)
        return [self._target.pid] if self._target.pid and Path(f"/proc/{self._target.pid}").exists() else []

    def symbol_target(self) -> SymbolTarget | None:
        """None: the whole machine."""
        if self._folder is not None:
            folder = self._folder
            return Cgroups(lambda: (folder,), self.pids)
        return Processes(self.pids) if self._target != LocalTarget() else None

    def loaded(self, loaded: LoadedPlan) -> None:
        cgroups, table = target_scope(loaded), loaded.by_role(MapRole.SCOPE_PIDS)
        if cgroups is not None and self._folder is not None:
            cgroups.update([self._folder])
        if table is not None:
            self._processes = ProcessScope(table)
            self._processes.update(self.pids())

    def attached(self) -> None:
        pass

    def poll(self) -> End | None:
        if self._signalled:
            return End.SIGNAL
        now = time.monotonic()
        if now < self._next_look:
            return None
        self._next_look = now + _LOOK_SECONDS
        if self._folder is not None:
            return None if self._folder.exists() else End.TARGETS_GONE
        if self._processes is not None:
            pids = self.pids()
            self._processes.update(pids)
            if self._target.pid and not pids:
                return End.TARGETS_GONE
        return None

    def _note_signal(self, number: int, frame: FrameType | None) -> None:
        self._signalled = True
        signal.signal(number, signal.SIG_DFL)


def run_local(arguments: list[str]) -> int:
    """The command; its exit code."""
    options = _parser().parse_args(arguments)
    try:
        text = options.execute if options.execute is not None else Path(options.file).read_text()
    except (OSError, UnicodeDecodeError) as error:
        return _say(f"{options.file}: {error}", FAULT)
    name = "program" if options.execute is not None else options.file
    target = LocalTarget(pid=options.pid or 0, comm=options.comm or "", container=options.container or "")
    try:
        return _trace(text, name, target, options)
    except ProgramError as error:
        from tracelang.report import render_diagnostics

        sources = error.sources or (Source(name, text),)
        sys.stderr.write(render_diagnostics(error.diagnostics, sources, color=sys.stderr.isatty()))
        return PROGRAM_ERROR
    except VerifierError as error:
        return _say("\n".join((str(error), *error.log.strip().splitlines()[-12:])), PROGRAM_ERROR)
    except CompileFault as error:
        return _say(f"{error} (this is a fault of tracejob)\n{error.log}", FAULT)
    except TargetError as error:
        return _say(str(error), NO_TARGET)
    except EngineError as error:
        return _say(str(error), FAULT)
    except KeyboardInterrupt:  # before anything was attached
        return INTERRUPTED
    except BrokenPipeError:  # nobody reads any more
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return FAULT


def _trace(text: str, name: str, target: LocalTarget, options: argparse.Namespace) -> int:
    folder, hierarchy = _container_folder(target.container) if target.container else (None, "")
    controller = LocalController(target, folder)
    pids = controller.pids()
    if target != LocalTarget() and not pids and folder is None:
        what = f"process {target.pid}" if target.pid else f"process called {target.comm}"
        raise TargetError(f"there is no {what} here")
    options_for = partial(
        CompileOptions,
        scope=target.scope(hierarchy),
        positional=tuple(options.arguments),
        named={"__node": os.uname().nodename},  # what the builtin `node` says
        unsafe=options.unsafe,
    )

    def front_end() -> tuple[Facts, CompileOptions]:
        from tracejob_agent.kernel.host_facts import HostFacts

        roots = root_folders(pids)
        facts = HostFacts(roots=tuple(roots.values()) or (Path("/"),), pids=tuple(pids), files=True)
        return facts, options_for(pid_namespace_level=pid_namespace_level(facts))

    prepared = prepare(text, name=name, front_end=front_end, options_key=repr(options_for()))
    if prepared.diagnostics.items:
        from tracelang.report import render_diagnostics

        sys.stderr.write(render_diagnostics(prepared.diagnostics, prepared.sources, color=sys.stderr.isatty()))
    facts = LazyFacts()
    symbols = UserSymbols(controller.symbol_target())
    sink = _sink(options.output, name, facts, symbols)
    controller.watch_signals()
    finish = Session(
        prepared.plan,
        prepared.functions,
        sink=sink,
        controller=controller,
        options=SessionOptions(
            duration=options.duration,
            interval=options.interval if options.output == "jsonl" else 0.0,
            pids=(target.pid,) if target.pid else (),
            stages=prepared.stages,
        ),
        btf=facts,
        symbols=symbols,
    ).run()
    _close(sink, finish, options.output)
    return finish.exit_code


def _sink(form: str, program: str, facts: LazyFacts, symbols: UserSymbols) -> Sink:
    from tracejob_agent.output.names import safe_text
    from tracejob_agent.output.sink_base import SinkOptions

    if form == "text":
        from tracejob_agent.output.queued_text import QueuedText
        from tracejob_agent.output.text_sink import TextSink

        shown = SinkOptions(program=program, text=safe_text, layouts=facts, user_symbols=symbols)
        return TextSink(QueuedText(1), sys.stderr, shown)
    from tracejob_agent.output.record_sink import RecordSink
    from tracejob_agent.output.record_values import readable
    from tracejob_agent.output.record_writer import RecordWriter

    descriptor = 1 if form == "jsonl" else os.open("/dev/null", os.O_WRONLY)
    plain = SinkOptions(program=program, text=readable, layouts=facts, user_symbols=symbols)
    return RecordSink(RecordWriter(descriptor), options=plain)


def _close(sink: Sink, finish: Finish, form: str) -> None:
    """What a person wants to know in the end, on stderr; the one record of `-o json` on stdout. Raises OutputError."""
    cost, losses = finish.cost, finish.losses
    hits = sum(item.hits for item in cost.programs)
    note = (
        f"{hits} hits, {losses.total()} lost; agent: {cost.cpu_seconds:.2f} s CPU "
        f"({cost.cpu_percent:.1f} % while tracing), {cost.memory_bytes / 2**20:.0f} MiB"
    )
    if cost.neighbour_hits:
        note += f"; {cost.neighbour_hits} hits of other processes took them {cost.neighbour_seconds:.2f} s"
    with suppress(OSError):
        sys.stderr.write(f"{note}\n")
    if form == "text":
        return
    from tracejob_agent.output.record_sink import RecordSink

    assert isinstance(sink, RecordSink)
    writer = sink.writer
    if form == "json" and sink.last_result is not None:
        writer.descriptor = 1
        writer.write(sink.last_result)
    if not writer.flush(wait=_WRITE_SECONDS) and not writer.is_closed:
        raise OutputError(f"the records can't be written: {writer.refusal or 'nobody reads them'}")


def _container_folder(container: str) -> tuple[Path, str]:
    """Its cgroup's directory, and the hierarchy that this is in."""
    for tree in CgroupTree.all_of_this_machine():
        found = tree.containers([container])
        if container in found:
            return found[container], tree.hierarchy
    raise TargetError(f"no container {container} runs here (give its id, at least 12 digits of it)")


def _parser() -> argparse.ArgumentParser:
    import argparse

    parser = argparse.ArgumentParser(
        prog="tracejob-agent local", description="Trace this machine with a program in the bpftrace language."
    )
    program = parser.add_mutually_exclusive_group(required=True)
    program.add_argument("-e", dest="execute", metavar="PROGRAM", help="the program's text")
    program.add_argument("-f", dest="file", metavar="FILE", help="the program's file")
    target = parser.add_mutually_exclusive_group()
    target.add_argument("--pid", type=int, metavar="N", help="this process only")
    target.add_argument("--comm", metavar="NAME", help="processes of this name, as they come and go")
    target.add_argument("--container", metavar="ID", help="this container, with all that runs in it")
    parser.add_argument("--duration", type=float, default=0.0, metavar="SECONDS", help="0 (default): until Ctrl-C")
    parser.add_argument("--interval", type=float, default=5.0, metavar="SECONDS", help="between snapshots (-o jsonl)")
    parser.add_argument("-o", dest="output", choices=("text", "json", "jsonl"), default="text")
    parser.add_argument("--unsafe", action="store_true", help="allow system(), signal() and the like")
    parser.add_argument("arguments", nargs="*", metavar="ARG", help="$1, $2... of the program")
    return parser


def _say(message: str, code: int) -> int:
    sys.stderr.write(f"ERROR: {message}\n")
    return code
