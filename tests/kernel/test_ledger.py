"""The account of losses: what a generator made is what was delivered and what was counted as lost, exactly.

At rates from what is easy to what no reader keeps up with, through every way out.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from kernel.agents import agent, map_values, request
from tracejob_api import records
from tracejob_api.request import AgentLimits

GENERATOR = Path(__file__).parents[2] / "benchmarks" / "generator.c"
ENTER = "tracepoint:syscalls:sys_enter_getpgid"
LEAVE = "tracepoint:syscalls:sys_exit_getpgid"
NAME = f"maker-{os.getpid()}"  # of no other process: somebody else may be generating, too
MINE = f'/comm == "{NAME}"/'
SMALL_RING = "config = { perf_rb_pages = 16 } "
RATES = [
    pytest.param(1_000, 500, id="1k/s"),
    pytest.param(50_000, 25_000, id="50k/s"),
    pytest.param(0, 400_000, id="max"),
]


@pytest.fixture(scope="module")
def generator(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("generator") / NAME
    subprocess.run(["gcc", "-O2", "-Wall", "-Wextra", "-Werror", "-o", path, GENERATOR], check=True)
    return path


def generate(generator: Path, calls: int, rate: int = 0) -> int:
    """The calls that it says it made."""
    command = [str(generator), str(max(os.sched_getaffinity(0))), str(calls), *([str(rate)] if rate else [])]
    made = int(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.split()[0])
    assert made == calls
    return made


@contextmanager
def tracer(program: str, *, out: int) -> Iterator[subprocess.Popen[bytes]]:
    """A local trace whose probes are on."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    command = [sys.executable, "-m", "tracejob_agent.bpftrace_cli", "-e", program]
    with subprocess.Popen(command, stdout=out, stderr=subprocess.PIPE, env=environment) as process:
        try:
            assert process.stderr
            assert any(line.startswith(b"Attached") for line in process.stderr)
            yield process
        finally:
            process.kill()


def told_lost(notices: bytes) -> tuple[int, int]:
    """Lost events, and runs that the kernel skipped (in any task, so that they only bound what is missing)."""
    lost = sum(int(number) for number in re.findall(rb"Lost (\d+) events", notices))
    skipped = re.findall(rb"(\d+) runs were skipped", notices)
    return lost, sum(int(number) for number in skipped)


def assert_adds_up(made: int, *, delivered: int, lost: int, skipped: int) -> None:
    assert delivered + lost <= made <= delivered + lost + skipped


@pytest.mark.parametrize(("rate", "calls"), RATES)
def test_lines_and_losses_of_a_local_trace_add_up(rate: int, calls: int, generator: Path, tmp_path: Path) -> None:
    program = f'{SMALL_RING} {ENTER} {MINE} {{ printf("call %d of %s\\n", pid, comm); }}'
    with (tmp_path / "out").open("wb") as out, tracer(program, out=out.fileno()) as process:
        made = generate(generator, calls, rate)
        process.send_signal(signal.SIGINT)
        assert process.stderr
        lost, skipped = told_lost(process.stderr.read())
        assert process.wait(30) == 0
    delivered = (tmp_path / "out").read_bytes().count(f" of {NAME}\n".encode())
    assert_adds_up(made, delivered=delivered, lost=lost, skipped=skipped)
    if rate == 1_000:
        assert delivered == made


def test_a_reader_that_stands_still_stops_nothing_and_what_did_not_fit_is_counted(generator: Path) -> None:
    """Nobody reads the pipe until all calls are made: the queue and the ring fill up."""
    text = "x" * 200
    program = f'{SMALL_RING} {ENTER} {MINE} {{ printf("{text}\\n"); }}'
    with tracer(program, out=subprocess.PIPE) as process:
        made = generate(generator, 200_000)
        process.send_signal(signal.SIGINT)
        out, notices = process.communicate(timeout=60)
    lost, skipped = told_lost(notices)
    assert lost > 0
    assert_adds_up(made, delivered=out.count(f"{text}\n".encode()), lost=lost, skipped=skipped)


@pytest.mark.parametrize(("rate", "calls"), RATES)
def test_each_probe_of_an_agent_has_an_account_that_adds_up(
    rate: int, calls: int, generator: Path, tmp_path: Path
) -> None:
    program = f'{ENTER} {MINE} {{ printf("in"); }} {LEAVE} {MINE} {{ printf("out"); @left = count(); }}'
    with agent(request(program, duration=120), tmp_path) as running:
        running.attached()
        made = generate(generator, calls, rate)
        running.process.send_signal(signal.SIGTERM)
        result = running.result()
        delivered = Counter(record.text for record in running.records if isinstance(record, records.Output))
    lost = {item.probe: item for item in result.losses.probes}
    for probe, text in ((ENTER, "in"), (LEAVE, "out")):
        account = lost.get(probe, records.ProbeLosses(probe))
        assert_adds_up(
            made,
            delivered=delivered[text],
            lost=account.total() - account.missed,
            skipped=account.missed,
        )
    assert sum(item.total() for item in lost.values()) == result.losses.total()
    assert sum(delivered.values()) == result.events
    assert_adds_up(made, delivered=int(str(map_values(result, "@left")[()])), lost=0, skipped=result.losses.missed)


def test_a_rate_limit_and_an_output_limit_are_told_apart_by_probe(generator: Path, tmp_path: Path) -> None:
    program = f'{ENTER} {MINE} {{ printf("in"); }} {LEAVE} {MINE} {{ @[args.ret] = count(); }}'
    limits = AgentLimits(events_per_second=2000, output_bytes=20_000)
    with agent(request(program, limits=limits), tmp_path) as running:
        running.attached()
        made = generate(generator, 20_000)
        running.process.send_signal(signal.SIGTERM)
        result = running.result()
    (account,) = result.losses.probes
    assert account.probe == ENTER
    assert account.rate_limited > 0
    assert account.output_dropped > 0
    assert_adds_up(
        made,
        delivered=result.events,
        lost=account.rate_limited + account.output_dropped + account.ring_buffer,
        skipped=account.missed,
    )


def test_updates_of_a_full_map_add_up_by_probe(generator: Path, tmp_path: Path) -> None:
    """Keys are the time: every call has one of its own."""
    program = f"{ENTER} {MINE} {{ @[nsecs] = count(); }} {LEAVE} {MINE} {{ @calls = count(); }}"
    with agent(request(program, limits=AgentLimits(map_entries=1000)), tmp_path) as running:
        running.attached()
        made = generate(generator, 20_000)
        running.process.send_signal(signal.SIGTERM)
        result = running.result()
    (account,) = result.losses.probes
    assert (account.probe, account.map_full) == (ENTER, result.losses.map_full)
    (kept,) = [item for item in result.maps if item.name == "@"]
    shown = sum(int(str(value)) for value in map_values(result, "@").values())
    assert kept.omitted == 0
    assert_adds_up(made, delivered=shown, lost=account.map_full, skipped=account.missed)
