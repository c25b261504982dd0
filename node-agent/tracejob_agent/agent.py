"""An agent's whole life: a request in, records out, an exit code that says how it went.

    hello -> find the targets -> compile -> session (attached, output, maps...) -> result -> termination message

Whatever happens, there is a result record, unless the process is killed outright.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from tracejob_agent.agent_controller import AgentController
from tracejob_agent.errors import (
    AttachError,
    CompileFault,
    EngineError,
    LimitError,
    NotPermittedError,
    TargetError,
    UnsupportedError,
    VerifierError,
)
from tracejob_agent.kernel.refusals import NO_BTF
from tracejob_agent.lazy_facts import LazyFacts
from tracejob_agent.output.record_sink import RecordLimits, RecordSink
from tracejob_agent.output.record_values import readable
from tracejob_agent.output.record_writer import RecordWriter
from tracejob_agent.output.sink_base import SinkOptions
from tracejob_agent.output.user_symbols import UserSymbols
from tracejob_agent.preparation import Prepared, prepare
from tracejob_agent.request_file import RequestFile
from tracejob_agent.session import Session, SessionOptions
from tracejob_agent.stop_signal import Interrupted, StopSignal
from tracejob_agent.target.cgroups import CgroupTree
from tracejob_agent.target.kubernetes_names import KubernetesNames
from tracejob_agent.target.pid_namespace import pid_namespace_level
from tracejob_agent.target.processes import root_folders
from tracejob_agent.target.scope import slots_for
from tracejob_api import records
from tracejob_api.labels import AgentExit
from tracejob_api.request import AgentRequest, RequestError
from tracejob_api.version import VERSION
from tracelang.diagnostics import Diagnostics, ProgramError
from tracelang.facts import Facts
from tracelang.plan import CompileOptions, ScopeOptions
from tracelang.source import Source

TERMINATION_LOG = Path("/dev/termination-log")
_WAIT_SECONDS = 10.0
_LOOK_AGAIN_SECONDS = 0.05
_NODE_ROOT = Path("/proc/1/root")

_FAILURES: tuple[tuple[type[EngineError], records.Failure, AgentExit], ...] = (
    (VerifierError, records.Failure.VERIFIER_REFUSED, AgentExit.PROGRAM_ERROR),
    (AttachError, records.Failure.ATTACH_FAILED, AgentExit.FAULT),
    (TargetError, records.Failure.NODE_UNSUPPORTED, AgentExit.FAULT),
    (UnsupportedError, records.Failure.NODE_UNSUPPORTED, AgentExit.FAULT),
    (NotPermittedError, records.Failure.NODE_UNSUPPORTED, AgentExit.FAULT),
)


class TargetsGoneError(EngineError):
    """Nothing to trace is left on the node."""


@dataclass(slots=True)
class Agent:
    """One run for one request file."""

    file: RequestFile
    writer: RecordWriter
    stop: StopSignal = field(default_factory=StopSignal)
    termination_log: Path = TERMINATION_LOG
    _started: int = field(default_factory=time.monotonic_ns)
    _sink: RecordSink | None = None

    def run(self) -> AgentExit:
        try:
            request = self.file.read()
        except RequestError as error:
            return self._fail(records.Failure.REQUEST_INVALID, str(error), AgentExit.FAULT)
        self._hello(request)
        try:
            return self._trace(request)
        except Interrupted:
            return self._end_early(records.EndReason.SIGNAL)
        except ProgramError as error:
            own = (Source(request.program.name, request.program.text),)
            self._diagnose(error.diagnostics, error.sources or own)
            return self._fail(records.Failure.PROGRAM_INVALID, str(error), AgentExit.PROGRAM_ERROR)
        except TargetsGoneError as error:
            return self._fail(records.Failure.TARGET_GONE, str(error), AgentExit.TARGET_GONE)
        except LimitError as error:
            return self._fail(records.Failure.LIMIT, str(error), AgentExit.FAULT)
        except EngineError as error:
            return self._fail_with(error)
        except Exception as error:
            import traceback

            traceback.print_exc()
            return self._fail(records.Failure.INTERNAL, f"{type(error).__name__}: {error}", AgentExit.FAULT)

    # --- steps ------------------------------------------------------------------------------------------------

    def _trace(self, request: AgentRequest) -> AgentExit:
        trees = () if request.host else CgroupTree.all_of_this_machine()
        names = KubernetesNames(request.node)
        controller = AgentController(
            request, self.file, stop=self.stop, trees=trees, names=names, report=self._report_targets
        )
        if trees:
            self._wait_for_targets(controller, request)
        with self.stop.interrupting():
            prepared = prepare(
                request.program.text,
                name=request.program.name,
                front_end=partial(_front_end, controller),
                options_key=repr(_compile_options(request, level=0, hierarchy=controller.hierarchy)),
            )
        if prepared.diagnostics.items:
            self._diagnose(prepared.diagnostics, prepared.sources)
        facts = LazyFacts()
        symbols = UserSymbols(controller.symbol_target())
        self._sink = self._make_sink(request, controller, facts=facts, names=names, symbols=symbols)
        session = Session(
            prepared.plan,
            prepared.functions,
            sink=self._sink,
            controller=controller,
            options=SessionOptions(
                duration=request.duration,
                interval=request.interval,
                cpu_percent=request.limits.cpu_percent,
                stages=self._stages(prepared),
            ),
            btf=facts,
            symbols=symbols,
        )
        session.run()
        self._leave_digest(self._sink.last_result)
        return self._delivered()

    def _wait_for_targets(self, controller: AgentController, request: AgentRequest) -> None:
        """A container that has just been made may not have its cgroup yet. Some of many are enough to begin."""
        deadline = time.monotonic() + min(_WAIT_SECONDS, request.start_timeout or _WAIT_SECONDS)
        while not controller.look().is_complete and time.monotonic() < deadline:
            if self.stop.is_set:
                break
            time.sleep(_LOOK_AGAIN_SECONDS)
        if not controller.resolution.places and not self.stop.is_set:
            missing = "; ".join(report.message for report in controller.resolution.reports)
            raise TargetsGoneError(missing or "the request names no target")

    def _make_sink(
        self,
        request: AgentRequest,
        controller: AgentController,
        *,
        facts: LazyFacts,
        names: KubernetesNames,
        symbols: UserSymbols,
    ) -> RecordSink:
        only = request.targets[0].name if len(request.targets) == 1 and not request.host else ""
        sink = RecordSink(
            self.writer,
            options=SinkOptions(
                program=request.program.name,
                text=readable,
                layouts=facts,
                kubernetes=names,
                user_symbols=symbols,
            ),
            limits=RecordLimits(output_bytes=request.limits.output_bytes),
            pod=only,
        )
        sink.targets = controller.resolution.reports
        return sink

    def _stages(self, prepared: Prepared) -> dict[str, int]:
        before = time.monotonic_ns() - self._started - sum(prepared.stages.values())
        return {"start": max(0, before), **prepared.stages}

    # --- records ----------------------------------------------------------------------------------------------

    def _hello(self, request: AgentRequest) -> None:
        machine = os.uname()
        t, seq = self.writer.stamp()
        self.writer.write(
            records.Hello(
                t=t,
                seq=seq,
                v=records.RECORD_VERSION,
                id=request.id,
                node=request.node,
                kernel=machine.release,
                arch=machine.machine,
                versions={"tracejob": VERSION},
            )
        )
        self.writer.flush()

    def _diagnose(self, diagnostics: Diagnostics, sources: tuple[Source, ...]) -> None:
        from tracejob_agent.diagnostic_records import diagnostics_of

        self._write_diagnostics(*diagnostics_of(diagnostics, sources))

    def _write_diagnostics(self, items: tuple[records.ProgramDiagnostic, ...], text: str) -> None:
        t, seq = self.writer.stamp()
        self.writer.write(records.DiagnosticsRecord(t=t, seq=seq, v=records.RECORD_VERSION, items=items, text=text))
        self.writer.flush()

    def _report_targets(self, reports: tuple[records.TargetReport, ...]) -> None:
        t, seq = self.writer.stamp()
        self.writer.write(records.TargetsRecord(t=t, seq=seq, v=records.RECORD_VERSION, targets=reports))

    def _fail_with(self, error: EngineError) -> AgentExit:
        if isinstance(error, VerifierError):
            last = "\n".join(error.log.strip().splitlines()[-12:])
            item = records.ProgramDiagnostic(message=str(error), hint=last)
            self._write_diagnostics((item,), f"ERROR: {error}\n{last}\n")
        if isinstance(error, CompileFault):
            os.write(2, error.log.encode(errors="replace"))
        for kind, failure, code in _FAILURES:
            if isinstance(error, kind):
                return self._fail(failure, str(error), code)
        return self._fail(records.Failure.INTERNAL, str(error), AgentExit.FAULT)

    def _fail(self, failure: records.Failure, message: str, code: AgentExit) -> AgentExit:
        t, seq = self.writer.stamp()
        sink = self._sink
        result = records.Result(
            t=t,
            seq=seq,
            v=records.RECORD_VERSION,
            reason=records.EndReason.FAILED,
            failure=failure,
            message=message,
            events=sink.events if sink else 0,
            attached_at=sink.attached_at if sink else 0,
        )
        self.writer.write(result)
        self.writer.flush(wait=10.0)
        self._leave_digest(result)
        return code

    def _end_early(self, reason: records.EndReason) -> AgentExit:
        """Asked to end before anything was attached."""
        t, seq = self.writer.stamp()
        result = records.Result(t=t, seq=seq, v=records.RECORD_VERSION, reason=reason)
        self.writer.write(result)
        self.writer.flush(wait=10.0)
        self._leave_digest(result)
        return self._delivered()

    def _delivered(self) -> AgentExit:
        if self.writer.flush():
            return AgentExit.DELIVERED
        # stderr may go the same way; then the exit code says it.
        with suppress(OSError):
            os.write(2, f"the result can't be written: {self.writer.refusal or 'nobody reads it'}\n".encode())
        return AgentExit.FAULT

    def _leave_digest(self, result: records.Result | None) -> None:
        """What is left for the operator when the log can't be read."""
        if result is None or not self.termination_log.exists():
            return
        digest = records.Digest(
            reason=result.reason,
            failure=result.failure,
            message=result.message,
            events=result.events,
            losses=result.losses,
            seq=result.seq,
        )
        with suppress(OSError):
            self.termination_log.write_bytes(records.encode_digest(digest))


def _front_end(controller: AgentController) -> tuple[Facts, CompileOptions]:
    """The machine as the targets see it (paths of probes are the containers' own), and what to compile for."""
    from tracejob_agent.kernel.host_facts import HostFacts

    if controller.request.host:
        facts = HostFacts(roots=(_NODE_ROOT if os.access(_NODE_ROOT, os.X_OK) else Path("/"),))
    else:
        roots = root_folders(controller.resolution.pids())
        facts = HostFacts(roots=tuple(roots.values()), pids=tuple(roots))
    if controller.hierarchy and facts.btf is None:
        raise UnsupportedError(f"pods on a cgroup v1 node can't be told apart: {NO_BTF}")
    level = pid_namespace_level(facts)
    return facts, _compile_options(controller.request, level=level, hierarchy=controller.hierarchy)


def _compile_options(request: AgentRequest, *, level: int, hierarchy: str) -> CompileOptions:
    return CompileOptions(
        scope=_scope(request, hierarchy),
        pid_namespace_level=level,
        positional=request.program.args,
        named={"__node": request.node},  # what the builtin `node` says
        unsafe=request.unsafe,
        max_map_keys=request.limits.map_entries or CompileOptions().max_map_keys,
        events_per_second=request.limits.events_per_second,
        kernel_memory=request.limits.kernel_memory,
    )


def _scope(request: AgentRequest, hierarchy: str) -> ScopeOptions:
    if request.host:
        return ScopeOptions()
    wanted = request.process
    if wanted.pid or wanted.comm or wanted.exe or wanted.cmdline:
        return ScopeOptions("pids", hierarchy=hierarchy)
    count = sum(1 if pod.all_containers else len(pod.containers) for pod in request.targets)
    return ScopeOptions("cgroups", slots_for(count), hierarchy=hierarchy)
