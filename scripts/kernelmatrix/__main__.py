"""`python3 -m kernelmatrix [VERSION...] [-- COMMAND]`: the tests of this checkout on Debian kernels in QEMU.

In: kernel versions (all of them without one). Out: what the guests print as it comes, then a line for each kernel; the
exit code is 1 when one failed.
"""

from __future__ import annotations

import argparse
import re
import shlex
import shutil
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from kindcluster.steps import CACHE, StepFailed, run, say, step

from kernelmatrix import disks, packages, qemu

CHECKOUT: Final = Path(__file__).resolve().parents[2]
PYTHON: Final = CHECKOUT / ".venv/bin/python"
SUITE: Final = "bash scripts/kernelmatrix/guest-suite.sh"
# The firmware's control codes may stand in front.
_KERNEL: Final = re.compile(r"guest: (\d+\.\S+)$")
_EXIT: Final = re.compile(r"guest: exit code (\d+)$")
_SUMMARY: Final = re.compile(r"\d+ (?:passed|failed|skipped|error).* in [\d.]+s")


@dataclass(slots=True)
class Outcome:
    """code: None when the guest didn't get to the end of the command."""

    version: str
    release: str = "didn't boot"
    code: int | None = None
    summary: str = ""
    seconds: float = 0.0

    def text(self) -> str:
        end = self.summary or ("ended" if self.code is not None else "did not end in time")
        return f"Linux {self.version:<5} {self.release:<28} {self.seconds:4.0f} s  {end}"


def main() -> int:
    arguments, command = _arguments()
    if not all(shutil.which(program) for program in ("qemu-system-x86_64", "busybox", "cpio", "mmdebstrap")):
        print("kernelmatrix: QEMU, busybox, cpio or mmdebstrap is missing: make install-deps", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory(dir=CACHE, prefix="kernel-matrix-run-") as folder:
        try:
            outcomes = _run(arguments, command or SUITE, Path(folder))
        except StepFailed as failure:
            print(f"kernelmatrix: {failure}", file=sys.stderr)
            return 1
    print("\n".join(outcome.text() for outcome in outcomes))
    return int(any(outcome.code != 0 for outcome in outcomes))


def _run(arguments: argparse.Namespace, command: str, folder: Path) -> list[Outcome]:
    kernels = {version: packages.kernel(version) for version in arguments.versions}
    initramfs = {version: disks.initramfs(version, kernel) for version, kernel in kernels.items()}
    root = disks.root_disk()
    with step("a disk with this checkout"):
        tests = {"PYTHONPATH": str(CHECKOUT / "tests")}
        programs = Path(run([PYTHON, "-m", "language.build"], env=tests).strip())
        checkout = disks.checkout_disk(
            folder, CHECKOUT, folders=(programs,), script=_script(command, programs, arguments.part)
        )
    boot = partial(_boot, images=(root, checkout), words=arguments.boot, timeout=arguments.timeout)
    with ThreadPoolExecutor(arguments.parallel) as pool:
        return list(pool.map(lambda version: boot(version, kernels[version], initramfs[version]), kernels))


def _script(command: str, programs: Path, part: str) -> str:
    """What the guest's init runs. Tests find the command that compiles outside, and the compiler, by variables."""
    variables = {
        "MATRIX_PART": part,
        "HOME": str(Path.home()),
        "TRACEJOB_TEST_PROGRAMS": str(programs),
        "TRACEJOB_TEST_COMPILER": qemu.SERVICE,
        "TRACEJOB_TEST_COMMAND": f"{PYTHON} {CHECKOUT}/tests/matrix/trace.py",
    }
    exports = "".join(f"export {name}={shlex.quote(value)}\n" for name, value in variables.items())
    return f"{exports}cd {shlex.quote(str(CHECKOUT))}\n{command}\n"


def _boot(
    version: str, kernel: Path, initramfs: Path, *, images: tuple[Path, ...], words: str, timeout: float
) -> Outcome:
    say(f"booting Linux {version}")
    outcome, start = Outcome(version), time.monotonic()
    lines = qemu.console(
        kernel=kernel / "vmlinuz", initramfs=initramfs, disks=images, checkout=CHECKOUT, words=words, timeout=timeout
    )
    for line in lines:
        print(f"{version}| {line}", flush=True)
        if found := _EXIT.search(line):
            outcome.code = int(found[1])
        elif found := _KERNEL.search(line):
            outcome.release = found[1]
        elif _SUMMARY.match(line.strip("= ")):
            outcome.summary = f"{outcome.summary}; {line}" if outcome.summary else line
    outcome.seconds = time.monotonic() - start
    return outcome


def _arguments() -> tuple[argparse.Namespace, str]:
    words = sys.argv[1:]
    command: list[str] = []
    if "--" in words:
        cut = words.index("--")
        words, command = words[:cut], words[cut + 1 :]
    parser = argparse.ArgumentParser(prog="kernelmatrix", description=__doc__)
    parser.add_argument("versions", nargs="*", help=f"of {', '.join(packages.SUITES)}; all of them without one")
    parser.add_argument("--part", choices=("all", "short"), default="all", help="short: what CI runs")
    parser.add_argument("--parallel", type=int, default=2, metavar="N", help="guests at a time (2)")
    parser.add_argument("--timeout", type=float, default=1800, metavar="SECONDS", help="for one kernel (1800)")
    parser.add_argument("--boot", default="", metavar="WORDS", help="more words for the kernel's command line")
    arguments = parser.parse_args(words)
    arguments.versions = arguments.versions or list(packages.SUITES)
    unknown = [version for version in arguments.versions if version not in packages.SUITES]
    if unknown:
        parser.error(f"no kernel {unknown[0]} here; there are {', '.join(packages.SUITES)}")
    return arguments, shlex.join(command)


if __name__ == "__main__":
    sys.exit(main())
