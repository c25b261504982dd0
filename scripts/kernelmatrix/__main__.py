"""`python3 -m kernelmatrix [VERSION...] [-- COMMAND]`: the tests of this checkout on Debian kernels in QEMU.

In: kernel versions (all of them without one). Out: what the guests print as it comes, then a line for each kernel; the
exit code is 1 when one failed.
"""

from __future__ import annotations

import argparse
import shlex
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Final

from kernelmatrix import console, disks, guest, packages, qemu
from kernelmatrix.console import Limits
from kindcluster.steps import StepFailed, run, step

CHECKOUT: Final = Path(__file__).resolve().parents[2]
PYTHON: Final = CHECKOUT / ".venv/bin/python"
SUITE: Final = "bash scripts/kernelmatrix/guest-suite.sh"


def main() -> int:
    arguments, command = _arguments()
    if not all(shutil.which(program) for program in ("qemu-system-x86_64", "busybox", "cpio", "mmdebstrap")):
        print("kernelmatrix: QEMU, busybox, cpio or mmdebstrap is missing: make install-deps", file=sys.stderr)
        return 1
    try:
        with disks.run_folder() as folder:
            outcomes = _run(arguments, command or SUITE, folder)
    except StepFailed as failure:
        print(f"kernelmatrix: {failure}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("kernelmatrix: interrupted", file=sys.stderr)
        return 130
    print("\n".join(outcome.text() for outcome in outcomes))
    return int(any(outcome.code != 0 for outcome in outcomes))


def _run(arguments: argparse.Namespace, command: str, folder: Path) -> list[guest.Outcome]:
    kernels = {version: packages.kernel(version) for version in arguments.versions}
    initramfs = {version: disks.initramfs(version, kernel) for version, kernel in kernels.items()}
    root = disks.root_disk()
    newer_tools = (packages.tools(),) if arguments.part == "all" else ()
    with step("a disk with this checkout"):
        tests = {"PYTHONPATH": str(CHECKOUT / "tests")}
        programs = Path(run([PYTHON, "-m", "language.build"], env=tests).strip())
        checkout = disks.checkout_disk(
            folder,
            CHECKOUT,
            folders=(programs, *newer_tools),
            script=_script(command, programs, newer_tools, arguments.part),
        )
    limits = Limits(silence=arguments.silence, total=arguments.timeout)

    def boot(version: str) -> guest.Outcome:
        machine = qemu.command(
            kernel=kernels[version] / "vmlinuz",
            initramfs=initramfs[version],
            disks=(root, checkout),
            checkout=CHECKOUT,
            words=arguments.boot,
        )
        return guest.run(version, partial(console.lines, machine, limits), show=partial(_show, version))

    with ThreadPoolExecutor(arguments.parallel) as pool:
        try:
            return list(pool.map(boot, kernels))
        except KeyboardInterrupt:
            limits.interrupted.set()
            pool.shutdown(cancel_futures=True)
            raise


def _script(command: str, programs: Path, newer_tools: tuple[Path, ...], part: str) -> str:
    """What the guest's init runs. Tests find the command that compiles outside, and the compiler, by variables."""
    variables = {
        "MATRIX_PART": part,
        "HOME": str(Path.home()),
        "TRACEJOB_TEST_PROGRAMS": str(programs),
        "TRACEJOB_TEST_NEWER_TOOLS": "".join(map(str, newer_tools)),
        "TRACEJOB_TEST_COMPILER": qemu.SERVICE,
        "TRACEJOB_TEST_COMMAND": f"{PYTHON} {CHECKOUT}/tests/matrix/trace.py",
    }
    exports = "".join(f"export {name}={shlex.quote(value)}\n" for name, value in variables.items())
    return f"{exports}cd {shlex.quote(str(CHECKOUT))}\n{command}\n"


def _show(version: str, line: str) -> None:
    # One write for each, as guests print at the same time.
    sys.stdout.write(f"{version}| {line}\n")
    sys.stdout.flush()


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
    parser.add_argument("--timeout", type=float, metavar="SECONDS", help="for one attempt (short: 900, all: 2700)")
    parser.add_argument("--silence", type=float, default=300, metavar="SECONDS", help="without a line: it hangs (300)")
    parser.add_argument("--boot", default="", metavar="WORDS", help="more words for the kernel's command line")
    arguments = parser.parse_args(words)
    arguments.versions = arguments.versions or list(packages.SUITES)
    arguments.timeout = arguments.timeout or {"short": 900, "all": 2700}[arguments.part]
    unknown = [version for version in arguments.versions if version not in packages.SUITES]
    if unknown:
        parser.error(f"no kernel {unknown[0]} here; there are {', '.join(packages.SUITES)}")
    return arguments, shlex.join(command)


if __name__ == "__main__":
    sys.exit(main())
