"""docs/language.md runs: every example is attached here, except where this kernel lacks what it asks for."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import threading
from pathlib import Path

import pytest

from language.conftest import build_programs
from language.runner import ATTACHED, SLOWNESS, TRACE
from tracejob_agent.kernel.host_facts import HostFacts

_PAGE = (Path(__file__).parents[2] / "docs" / "language.md").read_text()
_EXAMPLES = re.findall(r"^```bpftrace\n(.*?)^```", _PAGE, re.DOTALL | re.MULTILINE)
_OFTEN_MISSING = ("kprobe", "kretprobe", "fentry", "fexit", "hardware", "watchpoint")


@pytest.mark.parametrize("example", _EXAMPLES, ids=lambda text: " ".join(text.split())[:40])
def test_example_runs(example: str, tmp_path: Path) -> None:
    for provider in _OFTEN_MISSING:
        if re.search(rf"^{provider}:", example, re.MULTILINE):
            reason = HostFacts().unsupported(provider) or _without_counters(provider)
            if reason:
                pytest.skip(reason)
    program = tmp_path / "example.bt"
    program.write_text(example.replace("/lib/libshop.so", str(build_programs() / "shop")))
    tracer = subprocess.Popen(
        [TRACE, "--unsafe", str(program), "7", "word"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        env={**os.environ, ATTACHED: "1"},
        start_new_session=True,
    )
    late = threading.Timer(30 * SLOWNESS, tracer.kill)
    late.start()
    try:
        assert tracer.stdout is not None
        said = []
        for line in tracer.stdout:
            said.append(line)
            if line.strip() == ATTACHED:
                subprocess.run([str(build_programs() / "shop")], check=False)
                if "exit(" not in example:
                    tracer.send_signal(signal.SIGINT)
        tracer.wait()
    finally:
        late.cancel()
        tracer.stdout.close()
    # A program of begin alone ends by itself, and may be gone when the signal comes.
    wanted = 3 if "exit(3)" in example else 0
    assert tracer.returncode in (wanted, -signal.SIGINT), "".join(said)
    assert not [line for line in said if "ERROR" in line], "".join(said)
    assert f"{ATTACHED}\n" in said


def _without_counters(provider: str) -> str:
    """Virtual machines often have no performance counters."""
    if provider == "hardware" and not HostFacts().locations("hardware", ("cache-misses", "1000000")):
        return "this machine has no hardware counters"
    return ""
