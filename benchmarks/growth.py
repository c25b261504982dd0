"""How cost grows: with probes, with keys of a map, with the rate of printf, with the targets of a job."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

from benchmarks.frame import BIN, CALL, Answer, Bench, Table, Tracer, calls, tracing
from benchmarks.leaving import MANY

from tracejob_agent.target.cgroups import CgroupTree
from tracejob_api.request import AgentLimits, AgentRequest, ContainerTarget, JobRef, PodTarget, ProgramText, encode

_KEYS = (10, 1000, 100_000, 1_000_000)
_RATES = (0, 1000, 10_000, 100_000, 300_000)
_TARGETS = (0, 1, 4, 16, 64)
_PROBES = (1, 10, 100, 1000)
_SETTLED = 1.0
_SECONDS = 1.5


def answer(bench: Bench) -> Answer:
    new = tuple(tracer for tracer in bench.tracers if tracer.notice)
    few = Bench(new, rounds=min(bench.rounds, 2))
    return Answer([_probes(few), _keys(few), _rates(few), _targets()])


def _probes(bench: Bench) -> Table:
    table = Table(
        "Growth with probes: seconds from start to attached",
        ("tracepoints", *(tracer.name for tracer in bench.tracers)),
        note="A thousand are measured above, with what it takes to end them.",
    )
    for count in _PROBES[:-1]:
        names = sorted(path.name for path in Path("/sys/kernel/tracing/events/syscalls").glob("sys_exit_*"))[:count]
        program = f"{', '.join(f'tracepoint:syscalls:{name}' for name in names)} {{ @ = count(); }}"
        found = Bench(bench.tracers, rounds=1).least(lambda tracer, program=program: _attach(tracer, program))  # type: ignore[misc]  # a default isn't inferred
        table.rows.append([str(count), *(f"{found[tracer.name]:.2f}" for tracer in bench.tracers)])
    return table


def _attach(tracer: Tracer, program: str) -> float:
    with tracing(tracer, program, environment=MANY) as running:
        return running.attached_after


def _keys(bench: Bench) -> Table:
    table = Table(
        "Growth with keys of a map",
        (
            "keys",
            *(f"{tracer.name}: {what}" for tracer in bench.tracers for what in ("ns per call", "s to the result")),
        ),
        note=f"`{CALL} {{ @[@n % KEYS] = count(); @n++; }}` after every key was made; then Ctrl-C, and the "
        "map is printed.",
    )
    for keys in _KEYS:
        row = [f"{keys:,}".replace(",", " ")]
        program = f"config = {{ max_map_keys = {keys + 10} }} {CALL} {{ @[@n % {keys}] = count(); @n++; }}"
        for tracer in bench.tracers:
            with tracing(tracer, program) as running:
                calls(keys)
                per_call = calls(200_000).least
                row += [f"{per_call:.0f}", f"{running.stop():.2f}"]
        table.rows.append(row)
    return table


def _rates(bench: Bench) -> Table:
    table = Table(
        "Growth with the rate of printf: percent of a CPU",
        ("events/s", *(tracer.name for tracer in bench.tracers)),
        note='`printf("%d %s\\n", pid, comm)`; what the tracer itself takes.',
    )
    program = f'{CALL} /comm == "tj_bench"/ {{ printf("%d %s\\n", pid, comm); }}'
    for rate in _RATES:
        found = bench.least(lambda tracer, rate=rate: _share(tracer, program, rate))  # type: ignore[misc]  # a default isn't inferred
        table.rows.append([str(rate), *(f"{found[tracer.name]:.1f}" for tracer in bench.tracers)])
    return table


def _share(tracer: Tracer, program: str, rate: int) -> float:
    with tracing(tracer, program) as running:
        time.sleep(_SETTLED)  # what a start takes is told elsewhere
        before = running.cpu_seconds()
        if rate:
            calls(int(rate * _SECONDS), rate=rate)
        else:
            time.sleep(_SECONDS)
        return 100 * (running.cpu_seconds() - before) / _SECONDS


def _targets() -> Table:
    table = Table(
        "Growth with targets: nanoseconds added to a call of the last target, and of a neighbour",
        ("pods traced on the node", "in scope", "out of scope"),
        note="An agent's `@ = count()`, with its scope check and its count of hits, more than an untraced call. 0: the "
        "whole node, without a check.",
    )
    bare = min(calls(200_000).least for _ in range(3))
    for count in _TARGETS:
        with _pods(count) as pods, _agent(pods):
            inside = _inside(pods[-1][1]) if pods else calls(200_000).least
            outside = calls(200_000).least if pods else None
        table.rows.append([str(count), f"{inside - bare:.0f}", "-" if outside is None else f"{outside - bare:.0f}"])
    return table


def _inside(folder: Path) -> float:
    """The generator's least in a cgroup."""
    with tempfile.TemporaryDirectory() as temporary:
        enter = Path(temporary) / "enter"
        generator = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "tracejob/benchmarks/tj_bench"
        enter.write_text(f'#!/bin/sh\necho $$ > "{folder}/cgroup.procs"\nexec {generator} "$@"\n')
        enter.chmod(0o700)
        return calls(200_000, generator=str(enter)).least


@contextlib.contextmanager
def _pods(count: int) -> Iterator[list[tuple[PodTarget, Path]]]:
    """Pods as kubelet makes them: cgroups, each with one container and a process that keeps it from being "gone"."""
    base = CgroupTree.all_of_this_machine()[0].roots[0] / f"tj-bench-{uuid.uuid4().hex[:8]}"
    made: list[tuple[PodTarget, Path]] = []
    sleepers = []
    try:
        for number in range(count):
            uid, container = str(uuid.uuid4()), uuid.uuid4().hex * 2
            folder = base / "kubepods" / f"pod{uid}" / container
            folder.mkdir(parents=True)
            sleeper = subprocess.Popen(["sleep", "600"])
            sleepers.append(sleeper)
            (folder / "cgroup.procs").write_text(str(sleeper.pid))
            containers = (ContainerTarget(name="main", id=container),)
            made.append((PodTarget(uid=uid, name=f"p{number}", namespace="bench", containers=containers), folder))
        yield made
    finally:
        for sleeper in sleepers:
            sleeper.kill()
            sleeper.wait()
        time.sleep(0.2)
        for path, _, _ in os.walk(base, topdown=False):
            with contextlib.suppress(OSError):
                Path(path).rmdir()


@contextlib.contextmanager
def _agent(pods: list[tuple[PodTarget, Path]]) -> Iterator[None]:
    request = AgentRequest(
        id="bench",
        job=JobRef(name="bench", uid="bench", namespace="bench"),
        node="node",
        program=ProgramText(f"{CALL} {{ @ = count(); }}"),
        duration=120.0,
        start_timeout=5.0,
        interval=60.0,
        limits=AgentLimits(events_per_second=0),
        targets=tuple(pod for pod, _ in pods),
        host=not pods,
    )
    with tempfile.TemporaryDirectory() as temporary:
        file = Path(temporary) / "request"
        file.write_text(encode(request))
        command = [str(BIN / "tracejob-agent"), "--request", str(file)]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            try:
                assert process.stdout
                for line in process.stdout:
                    kind = json.loads(line)["type"]
                    if kind in ("attached", "result"):
                        break
                assert kind == "attached", line
                yield
            finally:
                process.terminate()
                process.stdout.read()  # type: ignore[union-attr]  # it was opened above
