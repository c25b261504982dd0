"""A plan and its byte code made live: maps created, programs linked and loaded. Nothing is attached yet.

The verifier's refusal keeps its whole log. The log is asked for only when the first try failed, as it costs time.
"""

from __future__ import annotations

import errno
import os
import re
import resource
import struct
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Protocol

from tracejob_agent.bpf.func_info import RECORD_SIZE, btf_blob, func_info
from tracejob_agent.bpf.instructions import LinkedCode, link
from tracejob_agent.bpf.maps import BpfMap
from tracejob_agent.bpf.syscalls import Buffer, Command, bpf
from tracejob_agent.errors import LoadError, UnsupportedError, VerifierError
from tracelang.plan import MapSpec, Plan, ProgramSpec, ProgramType

_LOG_SIZE = 4 << 20
_LOG_STATS = 1
_INSTRUCTION = re.compile(r"^(\d+): \(", re.MULTILINE)
_DETAILS = ("processed ", "verification time", "stack depth", "mark_precise", "peak_states")


class AttachType:
    """`enum bpf_attach_type`, those that programs are loaded with."""

    TRACE_RAW_TP = 23
    TRACE_FENTRY = 24
    TRACE_FEXIT = 25
    TRACE_ITER = 28
    PERF_EVENT = 41
    KPROBE_MULTI = 42
    UPROBE_MULTI = 48


class BtfIds(Protocol):
    """Finds the BTF id of the kernel function that a TRACING program attaches to."""

    def attach_btf_id(self, function: str) -> int | None: ...


@dataclass(frozen=True, slots=True)
class LoadedProgram:
    """A program in the kernel. attach_type: what it was loaded for (0: nothing special)."""

    spec: ProgramSpec
    descriptor: int
    attach_type: int


@dataclass(slots=True)
class LoadedPlan:
    """Every map and program of a plan. Use as a context manager: leaving it closes all descriptors."""

    plan: Plan
    maps: dict[int, BpfMap] = field(default_factory=dict)
    programs: list[LoadedProgram] = field(default_factory=list)
    _stack: ExitStack = field(default_factory=ExitStack)

    def __enter__(self) -> LoadedPlan:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._stack.close()

    def by_role(self, role: str) -> BpfMap | None:
        return next((found for found in self.maps.values() if found.spec.role == role), None)

    def by_name(self, name: str) -> BpfMap:
        """A map of the program, by its name there, without the at sign. KeyError without such a map."""
        for found in self.maps.values():
            if found.spec.user is not None and found.spec.user.name == name:
                return found
        raise KeyError(name)


def load(
    plan: Plan,
    functions: Mapping[str, bytes],
    *,
    attach_types: Mapping[str, int] | None = None,
    btf: BtfIds | None = None,
) -> LoadedPlan:
    """Creates the plan's maps and loads its programs. The names of programs and maps start with "tj_".

    attach_types: by program name, for programs that the engine wants to attach in a special way.
    Raises MapError, LoadError, VerifierError.
    """
    allow_locked_memory()
    loaded = LoadedPlan(plan)
    try:
        for spec in plan.maps:
            loaded.maps[spec.index] = create_map(loaded, spec)
        descriptors = {index: found.descriptor for index, found in loaded.maps.items()}
        for program in plan.programs:
            code = link(
                function=program.function,
                callbacks=program.callbacks,
                kfuncs=program.kfuncs,
                functions=functions,
                map_descriptors=descriptors,
            )
            attach_type = (attach_types or {}).get(program.name, 0)
            descriptor = _load_program(program, code, license_text=plan.license, attach_type=attach_type, btf=btf)
            loaded._stack.callback(os.close, descriptor)
            loaded.programs.append(LoadedProgram(program, descriptor, attach_type))
    except BaseException:
        loaded.close()
        raise
    return loaded


def create_map(loaded: LoadedPlan, spec: MapSpec) -> BpfMap:
    made = BpfMap(spec)
    loaded._stack.callback(made.close)
    return made


def allow_locked_memory() -> None:
    """Before 5.11 maps count against RLIMIT_MEMLOCK. Where this is refused, the kernel complains later, or not."""
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_MEMLOCK, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


def load_program(
    code: bytes,
    *,
    name: str,
    type_: ProgramType,
    license_text: str = "GPL",
    attach_type: int = 0,
    attach_btf_id: int = 0,
    functions: tuple[tuple[int, str], ...] = (),
    label: str = "",
) -> int:
    """The descriptor of a loaded program. `label` is what messages call it. Raises LoadError or VerifierError."""
    label = label or name
    instructions, license_buffer = Buffer(code), Buffer(license_text.encode() + b"\0")
    btf = -1
    try:
        info = Buffer(func_info([start for start, _ in functions]))
        if len(functions) > 1:
            btf = _load_btf([function for _, function in functions])

        def attempt(log: Buffer | None) -> int:
            with_info = btf >= 0
            return bpf(
                Command.PROG_LOAD,
                struct.pack(
                    "<IIQQIIQII16sIIIIQIIQIII",
                    type_.value,
                    len(code) // 8,
                    instructions.address,
                    license_buffer.address,
                    _LOG_STATS if log else 0,
                    log.size if log else 0,
                    log.address if log else 0,
                    0,
                    0,
                    name.encode()[:15],
                    0,
                    attach_type,
                    btf if with_info else 0,
                    RECORD_SIZE if with_info else 0,
                    info.address if with_info else 0,
                    len(functions) if with_info else 0,
                    0,
                    0,
                    0,
                    attach_btf_id,
                    0,
                ),
            )

        try:
            return attempt(None)
        except OSError as first:
            if first.errno == errno.EPERM:
                raise LoadError(f"the kernel doesn't allow {label} to be loaded: {first.strerror}") from first
            log = Buffer(_LOG_SIZE)
            try:
                return attempt(log)
            except OSError as error:
                raise _refusal(name, error, log.text(), label=label) from error
    finally:
        if btf >= 0:
            os.close(btf)


def test_run(descriptor: int, context: bytes = b"") -> int:
    """Runs a raw tracepoint program once, here and now, with `context` as its arguments; what it returned."""
    context_buffer = Buffer(context)
    attribute = bytearray(
        struct.pack(
            "<IIIIQQIIIIQQIII",
            descriptor,
            0,
            0,
            0,
            0,
            0,
            0,
            0,
            len(context),
            0,
            context_buffer.address if context else 0,
            0,
            0,
            0,
            0,
        )
    )
    bpf(Command.PROG_TEST_RUN, attribute)
    return int(struct.unpack_from("<I", attribute, 4)[0])


def _load_program(
    spec: ProgramSpec, code: LinkedCode, *, license_text: str, attach_type: int, btf: BtfIds | None
) -> int:
    attach_btf_id = None
    if spec.attach_btf_function:
        attach_btf_id = btf.attach_btf_id(spec.attach_btf_function) if btf else None
        if attach_btf_id is None:
            raise UnsupportedError(f"{spec.probe_text}: the kernel's BTF has no {spec.attach_btf_function}")
    return load_program(
        code.code,
        name=spec.name,
        type_=spec.type,
        license_text=license_text,
        attach_type=attach_type or default_attach_type(spec),
        attach_btf_id=attach_btf_id or 0,
        label=spec.probe_text,
        functions=code.functions,
    )


def default_attach_type(spec: ProgramSpec) -> int:
    """What a TRACING program is loaded for follows from its provider."""
    if spec.type is not ProgramType.TRACING or not spec.attachments:
        return 0
    match spec.attachments[0].provider:
        case "fentry":
            return AttachType.TRACE_FENTRY
        case "fexit":
            return AttachType.TRACE_FEXIT
        case "iter":
            return AttachType.TRACE_ITER
        case _:
            return AttachType.TRACE_RAW_TP


def _load_btf(names: list[str]) -> int:
    blob = Buffer(btf_blob(names))
    return bpf(Command.BTF_LOAD, struct.pack("<QQIIII", blob.address, 0, blob.size, 0, 0, 0))


def _refusal(name: str, error: OSError, log: str, *, label: str) -> LoadError:
    if not log.strip():
        return LoadError(f"the kernel refused {label}: {error.strerror}")
    numbers = _INSTRUCTION.findall(log)
    lines = [line for line in log.splitlines() if line.strip() and not line.startswith(_DETAILS)]
    complaint = lines[-1].strip() if lines else ""
    return VerifierError(
        f"the kernel's verifier refused {label}: {complaint}",
        program=name,
        log=log,
        instruction=int(numbers[-1]) if numbers else -1,
        complaint=complaint,
    )
