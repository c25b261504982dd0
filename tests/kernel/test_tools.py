"""The tools that Debian's bpftrace package installs: programs of the language, unchanged.

All of them are typed and become C, on a kernel that has what they ask for. Those whose probes exist here run side by
side with Debian's bpftrace, which sees the same events, and print lines of the same form.
"""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from language.runner import SLOWNESS, TRACE, UPSTREAM
from tracejob_agent.kernel.host_facts import HostFacts
from tracelang.compiler import compile_program
from tracelang.diagnostics import ProgramError
from tracelang.facts import Layout, Location, Member
from tracelang.plan import CompileOptions
from tracelang.report import render_diagnostics
from tracelang.types import U32

_TOOLS = sorted(Path("/usr/sbin").glob("*.bt"))
_SECONDS = 1.5

_RUN_HERE = (
    "execsnoop.bt",
    "killsnoop.bt",
    "naptime.bt",
    "opensnoop.bt",
    "pidpersec.bt",
    "setuids.bt",
    "statsnoop.bt",
    "syncsnoop.bt",
    "syscount.bt",
)
"""Their tracepoints are on every kernel, and the workload below makes their events."""

_WORKLOAD = """
import os, signal, subprocess, time
child = subprocess.Popen(["sleep", "60"])
end = time.monotonic() + {seconds}
while time.monotonic() < end:
    os.stat("/etc/hostname"); open("/etc/hostname").close()
    os.kill(child.pid, 0)
    subprocess.run(["setpriv", "--reuid=1", "--regid=1", "--clear-groups", "true"])
    os.fsync(os.open("/tmp", os.O_RDONLY)); os.sync()
    time.sleep(0.05); subprocess.run(["sleep", "0.01"])
child.kill()
"""


class GenerousFacts(HostFacts):
    """This machine, with the kernel functions, symbols and members that some kernel of the tools' time had."""

    def unsupported(self, provider: str) -> str:
        return ""

    def locations(self, provider: str, parts: tuple[str, ...]) -> tuple[Location, ...]:
        found = super().locations(provider, parts)
        if found or provider not in ("kprobe", "kretprobe", "uprobe", "uretprobe"):
            return found
        name = parts[-1].replace("*", "")
        target = parts[0] if provider.startswith("u") else ""
        return (Location(f"{provider}:{':'.join(parts)}", target=target, function=name),)

    def kernel_symbol(self, name: str) -> int | None:
        return super().kernel_symbol(name) or 0xFFFFFFFF81000000

    def struct(self, name: str) -> Layout | None:
        layout = super().struct(name)
        if name == "struct cfs_rq" and layout is not None:
            # nr_running became nr_queued in 6.15 (736c55a02c47).
            return Layout(name, layout.size, {**layout.members, "nr_running": Member("nr_running", U32, 16)})
        return layout


@pytest.mark.skipif(not _TOOLS, reason="Debian's bpftrace isn't installed")
@pytest.mark.parametrize("tool", _TOOLS, ids=lambda path: path.name)
def test_tool_becomes_c(tool: Path) -> None:
    try:
        compiled = compile_program(
            tool.read_text(), facts=GenerousFacts(), options=CompileOptions(unsafe=True), name=tool.name
        )
    except ProgramError as error:
        pytest.fail(render_diagnostics(error.diagnostics, error.sources))
    assert compiled.plan.programs


@pytest.mark.skipif(not shutil.which(UPSTREAM), reason="Debian's bpftrace isn't installed")
@pytest.mark.parametrize("tool", _RUN_HERE)
def test_tool_prints_as_upstream_does(tool: str) -> None:
    # How long a tracer takes to attach depends on the machine's load; Debian's says nothing when it has.
    for patience in (2, 6, 20):
        ours, upstream = _side_by_side(f"/usr/sbin/{tool}", patience=patience)
        if len(ours) > 1 and len(upstream) > 1:
            break
    assert upstream, "upstream printed nothing"
    assert ours[:1] == upstream[:1]
    forms = {_form(line) for line in ours[1:]} & {_form(line) for line in upstream[1:]}
    assert forms or not upstream[1:], "\n".join(["ours:", *ours[:20], "upstream:", *upstream[:20]])


def _side_by_side(path: str, *, patience: float) -> tuple[list[str], list[str]]:
    """The lines that both print about one workload."""
    tracers = [_start([TRACE, path]), _start([UPSTREAM, path])]
    try:
        time.sleep(patience * SLOWNESS)
        subprocess.run([sys.executable, "-c", _WORKLOAD.format(seconds=_SECONDS)], check=True)
    finally:
        for tracer in tracers:
            tracer.send_signal(signal.SIGINT)
    ours, upstream = ([line for line in tracer.communicate(timeout=60)[0].splitlines() if line] for tracer in tracers)
    return ours, [line for line in upstream if not line.startswith("Attaching ")]


def _start(command: list[str]) -> subprocess.Popen[str]:
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, errors="replace")


def _form(line: str) -> str:
    """What is left when numbers and words are any: 1 is a number, w a word, blanks count once."""
    line = re.sub(r"@+(?=[ @]*\|$)", "", line)
    line = re.sub(r"[A-Za-z_][\w./-]*", "w", line)
    line = re.sub(r"\d+", "1", line)
    return re.sub(r"\s+", " ", line).strip()
