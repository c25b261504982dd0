"""One guest: a kernel, its disks and a way to the compiler's service in; its console, line by line, out.

Software emulation, so that it runs inside any virtual machine: some 6 s to boot, ten times slower than here.
(/dev/kvm was tried where it is there: in a virtual machine the guest hung before its first line of output.)
"""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Final

SERVICE: Final = "10.0.2.100:7000"
"""Where a guest reaches the compiler: a connection starts the program, and no port of this machine is open for it."""


def console(
    *, kernel: Path, initramfs: Path, disks: tuple[Path, ...], checkout: Path, words: str, timeout: float
) -> Iterator[str]:
    """Boots, and yields what the guest prints until it powers off or the time is over."""
    process = subprocess.Popen(
        _command(kernel, initramfs, disks, checkout=checkout, words=words),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        errors="replace",
    )
    watchdog = threading.Timer(timeout, process.kill)
    watchdog.start()
    try:
        assert process.stdout is not None
        for line in process.stdout:
            yield line.rstrip()
    finally:
        watchdog.cancel()
        process.kill()
        process.wait()


def _command(kernel: Path, initramfs: Path, disks: tuple[Path, ...], *, checkout: Path, words: str) -> list[str]:
    service = f"{checkout}/.venv/bin/python {checkout}/tests/matrix/compile_service.py"
    # One thread for both processors: with two, a kernel that patches its own code (probes do) may fall over a
    # breakpoint that it has just put there (seen once on 7.2), and two guests share the machine's processors well.
    arguments = [
        # No guest outlives whoever started it.
        "setpriv", "--pdeathsig", "KILL",
        "qemu-system-x86_64", "-machine", "q35", "-accel", "tcg,thread=single", "-cpu", "max", "-smp", "2", "-m", "2G",
        "-nographic", "-no-reboot",
        "-kernel", str(kernel), "-initrd", str(initramfs), "-append", f"console=ttyS0 quiet panic=-1 {words}",
        "-netdev", f"user,id=net,restrict=on,guestfwd=tcp:{SERVICE}-cmd:{service}",
        # Without its boot ROM: nobody wants to boot from there.
        "-device", "virtio-net-pci,netdev=net,romfile=",
    ]  # fmt: skip
    for disk in disks:
        # A snapshot: what the guest writes is gone afterwards, and several guests may share a disk.
        arguments += ["-drive", f"file={disk},format=raw,if=virtio,snapshot=on"]
    return arguments
