"""The start: what a known program needs before it is attached, and that nothing is lost between that and the reader."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import tracejob_agent
import tracelang

START = Path(sys.executable).parent / "tracejob-bpftrace"
NOTICE = "__BPFTRACE_NOTIFY_PROBES_ATTACHED"
TEXT = 'tracepoint:syscalls:sys_enter_getpgid /comm == "tj_caller"/ { @ = count(); }'
SLOW = {"re", "enum", "dataclasses", "pathlib", "typing", "contextlib", "collections", "signal", "msgspec", "pickle"}
"""What the interpreter would take longer to import than the program takes to attach."""


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return os.environ | {"TRACEJOB_CACHE": str(tmp_path), NOTICE: "1"}


def attached(environment: dict[str, str], *command: str, text: str = TEXT) -> subprocess.Popen[str]:
    """The process, once it has said that everything is attached."""
    process = subprocess.Popen(
        [*command, "-e", text], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout
    assert NOTICE in process.stdout.readline()
    return process


def ended(process: subprocess.Popen[str]) -> tuple[str, str]:
    process.send_signal(signal.SIGINT)
    output, notices = process.communicate(timeout=30)
    assert process.returncode == 0
    return output, notices


def test_a_known_program_is_attached_before_anything_slow_is_imported(environment: dict[str, str]) -> None:
    ended(attached(environment, str(START)))
    python = Path(sys.executable).parent / "python3"
    _, notices = ended(attached(environment, str(python), "-I", "-S", "-X", "importtime", str(START)))
    before, notice, after = notices.partition("Attached 1 probe\n")
    assert notice
    assert "| tracejob_agent.session\n" not in before
    assert not SLOW & {line.rpartition("|")[2].strip() for line in before.splitlines()}
    assert "tracejob_agent.session" in after


def test_a_warning_does_not_make_the_start_slow(environment: dict[str, str]) -> None:
    text = "tracepoint:syscalls:sys_enter_getpgid { @at[tid] = nsecs; delete(@at[tid]); }"
    ended(attached(environment, str(START), text=text))
    python = Path(sys.executable).parent / "python3"
    _, notices = ended(attached(environment, str(python), "-I", "-S", "-X", "importtime", str(START), text=text))
    before, notice, _ = notices.partition("Attached 1 probe\n")
    assert notice and "| tracejob_agent.session\n" not in before
    assert notices.count("WARNING: Return value discarded.") == before.count("WARNING: Return value discarded.") == 1
    _, quiet = ended(attached(environment, str(START), "--no-warnings", text=text))
    assert "WARNING" not in quiet


def test_what_happens_right_after_the_notice_is_counted(tmp_path: Path, environment: dict[str, str]) -> None:
    """The probes fire, and a signal waits, while the modules that read and show are still being imported."""
    ended(attached(environment, str(START)))
    caller = tmp_path / "tj_caller"  # a name that nothing else on the machine has
    caller.symlink_to("/usr/bin/python3")
    process = attached(environment, str(START))
    subprocess.run([caller, "-S", "-c", "import os; [os.getpgid(0) for _ in range(321)]"], check=True)
    output, _ = ended(process)
    assert output.split() == ["@:", "321"]


def test_lines_of_before_the_reader_come_out(environment: dict[str, str]) -> None:
    text = (
        'begin { printf("hello\\n"); } tracepoint:syscalls:sys_enter_getpgid { @ = count(); } end { printf("bye\\n"); }'
    )
    for _ in range(2):
        output, notices = ended(attached(environment, str(START), text=text))
        assert output.split()[:2] == ["hello", "bye"]
        assert "Attached 3 probes" in notices


def test_a_compilation_imports_nothing_slow() -> None:
    """In the compiler's child, that is; each of these takes as long as to type a small program several times over."""
    work = (
        "import sys; from tracejob_agent.kernel.host_facts import HostFacts; "
        "from tracelang.compiler import compile_program; from tracelang.plan import CompileOptions; "
        f"compile_program({TEXT!r}, facts=HostFacts(), options=CompileOptions()); "
        "print(*({'dataclasses', 'inspect', 'msgspec', 'jinja2', 'elftools', 'asyncio', 'typing', 'pathlib', 'signal'}"
        " & set(sys.modules)))"
    )
    folders = [Path(module.__path__[0]).parent for module in (tracejob_agent, tracelang)]
    answer = subprocess.run(
        ["/usr/bin/python3", "-I", "-S", "-c", f"import sys; sys.path += {list(map(str, folders))!r}; {work}"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert answer.stdout.split() == []


def test_the_launcher_follows_links(tmp_path: Path, environment: dict[str, str]) -> None:
    link = tmp_path / "elsewhere"
    link.symlink_to(START)
    answer = subprocess.run([link, "-V"], env=environment, capture_output=True, text=True, check=True)
    assert answer.stdout.startswith("bpftrace v")


@pytest.mark.parametrize("milliseconds", [5, 15, 25, 40, 60, 90, 130, 180])
def test_ctrl_c_at_any_moment_of_the_start_ends_it_without_a_word_of_python(
    milliseconds: int, environment: dict[str, str]
) -> None:
    process = subprocess.Popen(
        [START, "-e", TEXT], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    time.sleep(milliseconds / 1000)
    process.send_signal(signal.SIGINT)
    _, notices = process.communicate(timeout=60)
    assert process.returncode in (0, 130, -signal.SIGINT)
    assert "Traceback" not in notices
