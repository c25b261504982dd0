"""`tracejob-agent local`: what a person sees, with its exit codes."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from kernel.agents import pod

CALLS = 300
LOOP = f"import os, sys\nsys.stdin.read()\nfor _ in range({CALLS}): os.getpgid(0)\n"
COUNT = "tracepoint:syscalls:sys_enter_getpgid { @calls = count(); }"


def local(*arguments: str) -> subprocess.Popen[str]:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    return subprocess.Popen(
        [sys.executable, "-m", "tracejob_agent", "local", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )


def finished(*arguments: str) -> tuple[int, str, str]:
    process = local(*arguments)
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


def test_one_process_is_counted_and_its_end_ends_the_trace() -> None:
    worker = subprocess.Popen([sys.executable, "-S", "-c", LOOP], stdin=subprocess.PIPE)
    tracer = local("--pid", str(worker.pid), "-e", COUNT)
    assert worker.stdin
    assert tracer.stdout
    assert tracer.stderr
    try:
        assert "Attached 1 probe" in tracer.stderr.readline()
        worker.stdin.close()
        assert worker.wait(30) == 0
        out, err = tracer.communicate(timeout=30)
    finally:
        worker.kill()
        worker.wait()
        tracer.kill()
        tracer.wait()
    assert f"@calls: {CALLS}\n" in out
    assert f"{CALLS} hits, 0 lost; agent:" in err
    assert tracer.returncode == 0


def test_a_container_is_found_by_its_id() -> None:
    with pod() as target:
        worker = target.start(LOOP, stdin=subprocess.PIPE)
        tracer = local("--container", target.container.name[:12], "-o", "jsonl", "--duration", "2", "-e", COUNT)
        assert worker.stdin
        assert tracer.stdout
        try:
            assert json.loads(tracer.stdout.readline())["type"] == "attached"
            worker.stdin.close()
            assert worker.wait(30) == 0
            out, err = tracer.communicate(timeout=60)
        finally:
            worker.kill()
            worker.wait()
            tracer.kill()
            tracer.wait()
        assert tracer.returncode == 0, err
        result = json.loads(out.splitlines()[-1])
        maps = {item["name"]: item for item in result["maps"]}
        assert maps["@calls"]["entries"][0]["value"] == CALLS
        assert result["reason"] == "duration"


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("-e", "begin { printt(1); }"), 2, "did you mean 'print'"),
        (("-f", "/no/such/file.bt"), 1, "No such file"),
        (("--pid", "4194305", "-e", "begin { exit(); }"), 3, "there is no process 4194305"),
        (("--comm", "no-such-name", "-e", "begin { exit(); }"), 3, "there is no process called no-such-name"),
        (("--container", "0123456789abcdef", "-e", "begin { exit(); }"), 3, "no container 0123456789abcdef"),
        (("-e", "begin { exit(7); }"), 7, "agent:"),
    ],
)
def test_each_end_has_its_code_and_words(arguments: tuple[str, ...], code: int, words: str) -> None:
    returned, _, err = finished(*arguments)
    assert (returned, words in err) == (code, True), err


def test_parameters_reach_the_program() -> None:
    code, out, _ = finished("-e", 'begin { printf("%d %s\\n", $1 + 1, str($2)); exit(); }', "--", "41", "blue")
    assert (code, out.splitlines()[0]) == (0, "42 blue")
