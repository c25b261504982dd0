"""Every program of the language cases also passes the verifier in the shape that a cluster gives it.

tests/language runs them unscoped, here on the host. In a pod's trace the predicate stands in front, PIDs are read at
the level of the node's namespace, and events are limited.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from language.cases import read_cases
from tracejob_agent.bpf.compiler import CompilerChild
from tracejob_agent.bpf.loader import load
from tracejob_agent.errors import UnsupportedError
from tracejob_agent.kernel.host_facts import HostFacts
from tracelang.compiler import compile_program
from tracelang.diagnostics import ProgramError
from tracelang.plan import CompileOptions, ScopeOptions

pytestmark = [pytest.mark.kernel, pytest.mark.usefixtures("nothing_left")]

CASES = Path(__file__).parents[1] / "language" / "cases"
OPTIONS = CompileOptions(
    scope=ScopeOptions("cgroups", 16),
    pid_namespace_level=1,
    events_per_second=1000,
    ring_bytes=1 << 16,
    unsafe=True,
)


def programs(file: Path) -> Iterator[tuple[str, str]]:
    for case in read_cases(file):
        if case.program and "{{" not in case.program and "./" not in case.program:
            yield case.name, case.program


@pytest.mark.parametrize("file", sorted(CASES.glob("*.txt")), ids=lambda path: path.stem)
def test_scoped_programs_pass_the_verifier(file: Path) -> None:
    facts = HostFacts()
    refused = {}
    tried = 0
    for name, text in programs(file):
        try:
            plan = compile_program(text, facts=facts, options=OPTIONS).plan
        except ProgramError:
            continue  # says its case
        with CompilerChild.start() as child:
            code = child.compile(plan.c_source, [n for spec in plan.programs for n in (spec.function, *spec.callbacks)])
        tried += 1
        try:
            load(plan, code, btf=facts).close()
        except UnsupportedError:
            continue
        except Exception as error:
            refused[name] = str(error)
    assert not refused
    assert tried or file.stem == "kernel_functions"


def test_a_pid_is_the_number_of_the_namespace_at_the_asked_level() -> None:
    """In a PID namespace below ours, level by level: what /proc calls the process in each of the two."""
    from kernel.codegen_run import evaluated_all
    from tracelang import ir
    from tracelang.ir import IntrinsicKind as Kind
    from tracelang.source import NOWHERE
    from tracelang.types import U32

    read_end, write_end = os.pipe()
    middle = os.fork()
    if middle == 0:
        try:
            _unshare_pid()
            inner = os.fork()
            if inner == 0:
                wanted = [ir.Intrinsic(NOWHERE, U32, kind) for kind in (Kind.PID, Kind.TID, Kind.PID_INNER)]
                options = [CompileOptions(ring_bytes=4096, pid_namespace_level=level) for level in (0, 1)]
                found = [evaluated_all(wanted, options=each) for each in options]
                os.write(write_end, repr(found).encode())
                os._exit(0)
            os.write(write_end, f"{inner}\n".encode())
            os.waitpid(inner, 0)
        finally:
            os._exit(0)
    os.close(write_end)
    os.waitpid(middle, 0)
    with os.fdopen(read_end) as answers:
        outer, numbers = answers.read().split("\n", 1)
    assert numbers == repr([[int(outer), int(outer), 1], [1, 1, 1]])


def _unshare_pid() -> None:
    import ctypes

    if ctypes.CDLL(None).unshare(0x20000000):
        raise OSError("no new PID namespace")
