"""The kernel matrix around its guests: limits, second attempts, what a killed run leaves. The guests: shell scripts."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from kernelmatrix import console, disks, guest
from kernelmatrix.console import GuestEnded, Limits
from kindcluster import steps
from language.cases import read_cases

SCRIPTS = Path(__file__).parents[2] / "scripts"
CASES = Path(__file__).parents[1] / "language/cases"
PANIC = "[  133.2] Kernel panic - not syncing: Fatal exception in interrupt"
PASSED = ("guest: 6.1.0-50-cloud-amd64", "==== 72 passed, 5 skipped in 111.73s (0:01:51) ====", "guest: exit code 0")


def shell(script: str) -> list[str]:
    return ["sh", "-c", script]


class Guests:
    """Consoles of one attempt after the other, and what was shown of them."""

    def __init__(self, *attempts: tuple[str, ...]) -> None:
        self.attempts = list(attempts)
        self.shown: list[str] = []

    def run(self) -> guest.Outcome:
        return guest.run("6.1", lambda: iter(self.attempts.pop(0)), show=self.shown.append)


def test_a_guest_that_passes_is_booted_once() -> None:
    outcome = Guests(PASSED).run()
    assert (outcome.code, outcome.release) == (0, "6.1.0-50-cloud-amd64")
    assert "passed: 72 passed, 5 skipped in 111.73s" in outcome.text()


def test_a_failing_test_gets_no_second_attempt() -> None:
    guests = Guests(("guest: 6.1.0", "== 1 failed, 3 passed in 2.00s ==", "guest: exit code 1"), PASSED)
    outcome = guests.run()
    assert outcome.code == 1
    assert "FAILED (exit code 1): 1 failed, 3 passed in 2.00s" in outcome.text()
    assert guests.attempts == [PASSED]


@pytest.mark.parametrize(
    "attempt",
    [("guest: 6.1.0", f"tests/a.txt::a case {PANIC}"), (PANIC,), ("guest: 6.1.0", "tests/a.txt::a case")],
    ids=["in a test", "while it boots", "without a word"],
)
def test_a_kernel_that_falls_over_is_booted_once_more_and_that_is_said(attempt: tuple[str, ...]) -> None:
    guests = Guests(attempt, PASSED)
    outcome = guests.run()
    assert outcome.code == 0
    assert any("It is booted ONCE more" in line for line in guests.shown)
    assert "in attempt 1: " in outcome.text()


def test_a_kernel_that_falls_over_again_has_failed() -> None:
    guests = Guests(("guest: 6.1.0", PANIC), (PANIC,), PASSED)
    outcome = guests.run()
    assert outcome.code is None
    assert "PANICKED: Kernel panic - not syncing: Fatal exception in interrupt" in outcome.text()
    assert guests.attempts == [PASSED]


def test_a_guest_that_never_ran_our_init_gets_no_second_attempt() -> None:
    guests = Guests(("qemu-system-x86_64: cannot set up guest memory",), PASSED)
    assert guests.run().code is None
    assert guests.attempts == [PASSED]


def test_silence_ends_a_guest_and_half_a_line_is_its_last_word() -> None:
    heard = []
    with pytest.raises(GuestEnded, match="printed nothing for 2 s"):
        for line in console.lines(shell("echo one; printf two; exec sleep 600"), Limits(silence=2)):
            heard.append(line)
    assert heard == ["one", "two"]


def test_a_guest_that_talks_for_ever_is_ended_too() -> None:
    with pytest.raises(GuestEnded, match="was not ready after 2 s"):
        for _ in console.lines(shell("while :; do echo still here; sleep 0.1; done"), Limits(total=2)):
            pass


def test_a_limit_is_no_reason_for_a_second_attempt() -> None:
    shown: list[str] = []
    script = shell("echo guest: 6.1.0; exec sleep 600")
    outcome = guest.run("6.1", lambda: console.lines(script, Limits(silence=2)), show=shown.append)
    assert outcome.ended == "printed nothing for 2 s"
    assert shown.count("booting Linux 6.1") == 1
    assert "!!!! Linux 6.1 was ended: it printed nothing for 2 s. The lines above are its last." in shown


def test_a_guest_that_somebody_stops_for_a_while_is_no_hang() -> None:
    # Stopped for longer than the limit, and then it goes on.
    script = "echo $$; (sleep 3; kill -CONT $$) & kill -STOP $$; echo awake"
    assert list(console.lines(shell(script), Limits(silence=2)))[1:] == ["awake"]


def test_an_interrupt_ends_the_guest() -> None:
    limits = Limits()
    threading.Timer(0.5, limits.interrupted.set).start()
    with pytest.raises(GuestEnded, match="was interrupted"):
        list(console.lines(shell("exec sleep 600"), limits))


def test_what_the_firmware_tells_the_terminal_stays_out_of_ours() -> None:
    script = r"printf '\033c\033[?7l\033[2J\033[0mSeaBIOS\r\n'"
    assert list(console.lines(shell(script), Limits())) == ["SeaBIOS"]


def killed(program: str, cache: Path) -> None:
    """Runs the program until it says that it is in the middle of its work, and kills it there."""
    environment = {**os.environ, "XDG_CACHE_HOME": str(cache.parent), "PYTHONPATH": str(SCRIPTS)}
    process = subprocess.Popen([sys.executable, "-c", program], env=environment, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    with process.stdout:
        assert process.stdout.readline() == "in the middle\n"
    process.send_signal(signal.SIGKILL)
    process.wait()


def test_a_build_that_was_killed_is_made_anew_whatever_its_children_still_write(tmp_path: Path) -> None:
    cache = tmp_path / "tracejob"
    killed(
        "import time; from kindcluster.steps import cached\n"
        "def build(into):\n"
        "    (into / 'half').touch(); print('in the middle', flush=True); time.sleep(600)\n"
        "cached('kernel', key='k', build=build)",
        cache,
    )
    (left,) = (path for path in (cache / "kernel").iterdir() if path.is_dir())

    def build(into: Path) -> None:
        assert not left.exists()
        left.mkdir()  # an orphan of the first run goes on
        (into / "whole").touch()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(steps, "CACHE", cache)
        ready = steps.cached("kernel", key="k", build=build)
        assert [path.name for path in ready.iterdir()] == ["whole"]
        left.mkdir(exist_ok=True)
        assert steps.cached("kernel", key="k", build=build) == ready
    assert not left.exists()


def test_the_disks_of_a_run_that_was_killed_are_removed_and_those_of_a_live_one_stay(tmp_path: Path) -> None:
    cache = tmp_path / "tracejob"
    killed(
        "import time; from kernelmatrix.disks import run_folder\n"
        "with run_folder() as folder:\n"
        "    (folder / 'disk').touch(); print('in the middle', flush=True); time.sleep(600)",
        cache,
    )
    runs = cache / "kernel-matrix-runs"
    (left,) = runs.iterdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(disks, "CACHE", cache)
        with disks.run_folder() as one:
            assert not left.exists()
            with disks.run_folder() as other:
                assert one.exists()
                assert sorted(runs.iterdir()) == sorted([one, other])
    assert not list(runs.iterdir())


def test_a_case_that_compiles_says_so_as_guests_have_no_compiler() -> None:
    for path in CASES.glob("*.txt"):
        for case in read_cases(path):
            for compiler in ("gcc", "g++"):
                if f" {compiler} " in case.run:
                    assert case.needs_file == f"/usr/bin/{compiler}", f"{path.name}: {case.name}"
