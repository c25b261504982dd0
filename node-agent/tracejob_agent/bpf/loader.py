"""A plan and its byte code made live: maps created, programs linked and loaded. Nothing is attached yet."""

from __future__ import annotations

import os
import resource
import struct
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Protocol

from tracejob_agent.bpf.btf_objects import open_module_types
from tracejob_agent.bpf.instructions import LinkedCode, link
from tracejob_agent.bpf.maps import BpfMap
from tracejob_agent.bpf.objects import load_program
from tracejob_agent.bpf.syscalls import AttachType
from tracejob_agent.errors import LoadError, LogSpaceError, UnsupportedError
from tracelang.plan import MapSpec, Plan, ProgramSpec, ProgramType


class BtfIds(Protocol):
    """Finds the BTF id of the kernel function that a TRACING program attaches to."""

    def attach_btf_id(self, function: str, module: str = "") -> int | None: ...


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
    log_size: int = 0,
) -> LoadedPlan:
    """Creates the plan's maps and loads its programs. The names of programs and maps start with "tj_".

    attach_types: by program name, for programs that the engine wants to attach in a special way.
    log_size: bytes for the verifier's log; 0: it is asked for only when the kernel refuses a program.
    Raises MapError, LoadError, VerifierError.
    """
    raise_limits()
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
            try:
                descriptor = _load_program(
                    program, code, license_text=plan.license, attach_type=attach_type, btf=btf, log_size=log_size
                )
            except LogSpaceError as error:
                raise LoadError(_log_space(program, error.size)) from error
            loaded._stack.callback(os.close, descriptor)
            loaded.programs.append(LoadedProgram(program, descriptor, attach_type))
            if program.shared:
                _write_places(program, loaded.maps[program.places_map])
    except BaseException:
        loaded.close()
        raise
    return loaded


def take_over(plan: Plan, maps: Mapping[int, int], programs: Sequence[int]) -> LoadedPlan:
    """The same from descriptors of what is in the kernel already: maps by index, programs in the plan's order."""
    loaded = LoadedPlan(plan)
    for spec in plan.maps:
        loaded.maps[spec.index] = BpfMap(spec, maps[spec.index])
        loaded._stack.callback(loaded.maps[spec.index].close)
    for program, descriptor in zip(plan.programs, programs, strict=True):
        loaded._stack.callback(os.close, descriptor)
        loaded.programs.append(LoadedProgram(program, descriptor, 0))
    return loaded


def create_map(loaded: LoadedPlan, spec: MapSpec) -> BpfMap:
    made = BpfMap(spec)
    loaded._stack.callback(made.close)
    return made


def _write_places(program: ProgramSpec, table: BpfMap) -> None:
    """Which system calls the program is for."""
    for attachment in program.attachments:
        table.set(struct.pack("<I", attachment.location.system_call), struct.pack("<Q", attachment.cookie + 1))


def raise_limits() -> None:
    """Before 5.11 maps count against RLIMIT_MEMLOCK; each attachment is an open file.

    Where this is refused, the kernel complains later, or not.
    """
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_MEMLOCK, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    with suppress(OSError, ValueError):
        most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _load_program(
    spec: ProgramSpec,
    code: LinkedCode,
    *,
    license_text: str,
    attach_type: int,
    btf: BtfIds | None,
    log_size: int,
) -> int:
    with ExitStack() as stack:
        type_id, types = _attach_target(spec, btf, stack)
        return load_program(
            code.code,
            name=spec.name,
            type_=spec.type.value,
            license_text=license_text,
            attach_type=attach_type or default_attach_type(spec),
            attach_btf_id=type_id,
            attach_types_of=types,
            label=spec.probe_text,
            functions=code.functions,
            log_size=log_size,
        )


def _log_space(spec: ProgramSpec, size: int) -> str:
    provider = spec.attachments[0].provider if spec.attachments else "program"
    return (
        f"Error loading BPF program for {provider}_{spec.probe_index + 1}. "
        f"Error code: -28 (No space left on device).\n"
        f"WARNING: Kernel log seems to be trimmed: it is longer than the {size} bytes of BPFTRACE_LOG_SIZE, "
        "or `config = { log_size = N }`."
    )


def _attach_target(spec: ProgramSpec, btf: BtfIds | None, stack: ExitStack) -> tuple[int, int]:
    """The BTF id of the function that a TRACING program names, and the descriptor of its module's types."""
    if not spec.attach_btf_function:
        return 0, 0
    module = spec.attachments[0].location.module if spec.attachments else ""
    type_id = btf.attach_btf_id(spec.attach_btf_function, module) if btf else None
    types: int | None = 0
    if type_id is not None and module not in ("", "vmlinux"):
        types = open_module_types(module)
        if types is not None:
            stack.callback(os.close, types)
    if type_id is None or types is None:
        raise UnsupportedError(f"{spec.probe_text}: the kernel's BTF has no {spec.attach_btf_function}")
    return type_id, types


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
