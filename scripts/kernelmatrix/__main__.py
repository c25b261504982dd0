"""`python3 -m kernelmatrix VERSION... -- COMMAND`: run a command of this checkout on Debian kernels in QEMU.

In: kernel versions (5.10, 6.1, 6.12, 7.2). Out: the command's output as it comes; the exit code is that of the worst.
Software emulation, so that it runs inside any virtual machine: about 6 s to boot, 10 to 30 times slower than here.
(Nested KVM was tried where /dev/kvm is there: the guest hung before its first line of output.)
"""

from __future__ import annotations

import argparse
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Final

from kindcluster.steps import StepFailed, say, step

from kernelmatrix import disks, packages

CHECKOUT: Final = Path(__file__).resolve().parents[2]
EXIT: Final = re.compile(r"guest: exit code (\d+)")


def main() -> int:
    parser = argparse.ArgumentParser(prog="kernelmatrix", description=__doc__)
    parser.add_argument("versions", nargs="+", choices=sorted(packages.SUITES), help="which kernels")
    parser.add_argument("--timeout", type=float, default=1200, help="seconds for one kernel")
    parser.add_argument(
        "--with", dest="extra", action="append", type=Path, default=[], help="another folder to take along"
    )
    arguments, command = _split(parser)
    try:
        codes = [
            run(version, shlex.join(command), timeout=arguments.timeout, extra=arguments.extra)
            for version in arguments.versions
        ]
    except StepFailed as failure:
        print(f"kernelmatrix: {failure}", file=sys.stderr)
        return 1
    return max(codes)


def run(version: str, command: str, *, timeout: float, extra: list[Path]) -> int:
    """Boot one kernel and run the command; its exit code, or 1 when the guest didn't get that far."""
    kernel = packages.kernel(version)
    root = disks.root_disk()
    with step(f"a disk with this checkout for Linux {version}"):
        checkout = disks.checkout_disk(CHECKOUT, command, extra=tuple(extra))
    say(f"booting Linux {version} in QEMU: {command}")
    code = 1
    process = subprocess.Popen(
        _qemu(kernel, root, checkout),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        errors="replace",
    )
    assert process.stdout is not None
    watchdog = subprocess.Popen(["sh", "-c", f"sleep {timeout}; kill {process.pid}"])
    try:
        for line in process.stdout:
            print(f"{version}| {line.rstrip()}", flush=True)
            ended = EXIT.search(line)
            if ended:
                code = int(ended[1])
    finally:
        watchdog.kill()
        process.kill()
        process.wait()
        watchdog.wait()
    return code


def _qemu(kernel: Path, root: Path, checkout: Path) -> list[str]:
    arguments = [
        "qemu-system-x86_64", "-machine", "q35,accel=tcg", "-cpu", "max", "-smp", "2", "-m", "3G",
        "-nographic", "-no-reboot",
        "-kernel", str(kernel / "vmlinuz"), "-initrd", str(disks.initramfs(kernel)),
        "-append", "console=ttyS0 quiet panic=-1 mitigations=off",
    ]  # fmt: skip
    for disk in (root, checkout):
        # A snapshot: what the guest writes is gone afterwards, and several guests may share the root disk.
        arguments += ["-drive", f"file={disk},format=raw,if=virtio,snapshot=on"]
    return arguments


def _split(parser: argparse.ArgumentParser) -> tuple[argparse.Namespace, list[str]]:
    words = sys.argv[1:]
    if "--" not in words:
        parser.error("no command: write it after --")
    cut = words.index("--")
    return parser.parse_args(words[:cut]), words[cut + 1 :]


if __name__ == "__main__":
    sys.exit(main())
