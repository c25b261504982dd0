"""Runs one case against the local command and says how its output differs from what is expected ("" for none)."""

from __future__ import annotations

import contextlib
import difflib
import json
import os
import re
import shlex
import signal
import subprocess
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from language import warm
from language.cases import Case, Expectation

ATTACHED = "__BPFTRACE_NOTIFY_PROBES_ATTACHED"
ROOT = Path(__file__).parents[2]
UPSTREAM = "bpftrace"  # Debian's
# The kernel matrix has a command of its own, and forks it from a process that has imported it (warm.py).
TRACE = os.environ.get("TRACEJOB_TEST_COMMAND", str(ROOT / ".venv/bin/tracejob-bpftrace"))
IS_WARM = "TRACEJOB_TEST_COMMAND" in os.environ
if IS_WARM:
    warm.prepare()
# A machine that is emulated is slower by this factor.
_LOAD = os.getloadavg()[0] / (os.cpu_count() or 1)
SLOWNESS = float(os.environ.get("TRACEJOB_TEST_SLOWNESS", "0")) or max(1.0, _LOAD)
"""Time-outs are for tracers that hang: they are longer on a machine that is busy with other things."""


@dataclass(frozen=True, slots=True)
class Outcome:
    output: str  # stdout and stderr as they came, without the notice
    exit_code: int
    timed_out: bool


def run_case(case: Case, *, programs: Path, trace: str = TRACE) -> Outcome:
    """Start BEFORE, the command, and AFTER once attached; wait for the end or the time-out (then SIGINT)."""
    before = _start(_fill(case.before, trace, programs, 0), programs) if case.before else None
    after: subprocess.Popen[str] | None = None
    if before is not None:
        time.sleep(0.3 * SLOWNESS)
    pid = before.pid if before else 0
    process = _trace(case, trace=trace, programs=programs, before=pid)
    timed_out = threading.Event()

    def stop() -> None:
        timed_out.set()
        os.killpg(process.pid, signal.SIGINT)
        time.sleep(3)
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)

    timer = threading.Timer(case.timeout * SLOWNESS, stop)
    timer.start()
    lines = []
    try:
        assert process.stdout is not None
        for line in process.stdout:
            if line.rstrip("\n") == ATTACHED:
                if case.after:
                    command = case.after.replace("{{TRACE_PID}}", str(process.pid))
                    after = _start(_fill(command, trace, programs, pid), programs)
            else:
                lines.append(line)
        code = process.wait()
    finally:
        timer.cancel()
        if process.stdout is not None:
            process.stdout.close()
        for helper in (before, after):
            if helper is not None:
                _kill(helper)
    return Outcome(output="".join(lines), exit_code=code, timed_out=timed_out.is_set())


def _trace(case: Case, *, trace: str, programs: Path, before: int) -> subprocess.Popen[str] | warm.WarmProcess:
    """The command under test, in a session of its own; `exec`ed, so that its process is the one that was started."""
    environment = {**os.environ, ATTACHED: "1", **case.environment}
    if IS_WARM and trace == TRACE and not (case.run or case.environment):
        return warm.WarmProcess(
            _arguments(case, trace=trace, programs=programs, before=before), environment=environment, folder=programs
        )
    return subprocess.Popen(
        ["bash", "-c", _command(case, trace=trace, programs=programs, before=before)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        env=environment,
        cwd=programs,
        start_new_session=True,
    )


def complaint(case: Case, outcome: Outcome) -> str:
    """What is wrong with the outcome, for a person; "" when nothing is."""
    problems = []
    if outcome.timed_out:
        problems.append(f"did not end within {case.timeout * SLOWNESS:g} s")
    elif outcome.exit_code != case.exit_code:
        problems.append(f"exit code {outcome.exit_code}, expected {case.exit_code}")
    position = 0
    for expectation in case.expectations:
        found, position = _check(expectation, outcome.output, position)
        if not found:
            problems.append(f"{expectation.kind} not met: {expectation.text}")
    if not problems:
        return ""
    return "\n".join([*problems, "--- output", outcome.output])


def difference(ours: Outcome, upstream: Outcome) -> str:
    """How our output differs from upstream's for the same program, for a person; "" when it doesn't.

    Blank lines, blanks at the end of a line, and what is said of attaching and of warnings are nobody's output:
    releases of bpftrace differ there.
    """
    if ours.exit_code != upstream.exit_code:
        return f"exit code {ours.exit_code}, upstream {upstream.exit_code}\n--- upstream\n{upstream.output}"
    mine, theirs = _lines(ours.output), _lines(upstream.output)
    if mine == theirs:
        return ""
    return "\n".join(difflib.unified_diff(theirs, mine, "upstream", "tracejob", lineterm=""))


def _lines(output: str) -> list[str]:
    lines = [line.rstrip() for line in output.splitlines()]
    return [line for line in lines if line and not re.match(r"Attach(ing|ed) \d|WARNING: ", line)]


def _check(expectation: Expectation, output: str, position: int) -> tuple[bool, int]:
    match expectation.kind:
        case "EXPECT":
            where = output.find(expectation.text, position)
            return (True, where + len(expectation.text)) if where >= 0 else (False, position)
        case "EXPECT_REGEX":
            return re.search(expectation.text, output, re.M) is not None, position
        case "EXPECT_NONE":
            return expectation.text not in output, position
        case "EXPECT_JSON":
            wanted = json.loads(expectation.text)
            return any(_json(line) == wanted for line in output.splitlines()), position
    raise ValueError(expectation.kind)


def _json(line: str) -> object:
    try:
        return json.loads(line)
    except ValueError:
        return None


def _command(case: Case, *, trace: str, programs: Path, before: int) -> str:
    if case.run:
        return _fill(case.run, trace, programs, before)
    return f"exec {trace} {shlex.join(_arguments(case, trace=trace, programs=programs, before=before))}"


def _arguments(case: Case, *, trace: str, programs: Path, before: int) -> list[str]:
    child = ["-c", _fill(case.child, trace, programs, before)] if case.child else []
    return [*child, "-e", _fill(case.program, trace, programs, before), *shlex.split(case.arguments)]


def _fill(text: str, trace: str, programs: Path, before: int) -> str:
    for name, value in (("TRACE", trace), ("PROGRAMS", str(programs)), ("BEFORE_PID", str(before))):
        text = text.replace(f"{{{{{name}}}}}", value)
    return text


def _start(command: str, programs: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        ["bash", "-c", f"exec {command}" if not any(mark in command for mark in ";|&") else command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=programs,
        start_new_session=True,
    )


def _kill(process: subprocess.Popen[str]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
