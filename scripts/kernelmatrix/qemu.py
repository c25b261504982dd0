"""QEMU's command line for one guest: a kernel, its disks and a way to the compiler's service.

Software emulation, so that it runs inside any virtual machine: some 6 s to boot, ten times slower than here.
(/dev/kvm was tried where it is there: in a virtual machine the guest hung before its first line of output.)
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

SERVICE: Final = "10.0.2.100:7000"
"""Where a guest reaches the compiler: a connection starts the program, and no port of this machine is open for it."""
KERNEL_WORDS: Final = "console=ttyS0 quiet oops=panic panic=-1 no_timer_check"
"""An oops ends the guest, as it may have left anything behind. The timer's check at boot fails where the emulator is
kept from its processor for a moment; virtual machines go without it."""


def command(*, kernel: Path, initramfs: Path, disks: tuple[Path, ...], checkout: Path, words: str) -> list[str]:
    service = f"{checkout}/.venv/bin/python {checkout}/tests/matrix/compile_service.py"
    # One thread for both processors: with two, a kernel that patches its own code (probes do) may fall over a
    # breakpoint that it has just put there (seen once on 7.2), and two guests share the machine's processors well.
    arguments = [
        # No guest outlives whoever started it.
        "setpriv", "--pdeathsig", "KILL",
        "qemu-system-x86_64", "-machine", "q35", "-accel", "tcg,thread=single", "-cpu", "max", "-smp", "2", "-m", "2G",
        "-nographic", "-no-reboot",
        "-kernel", str(kernel), "-initrd", str(initramfs), "-append", f"{KERNEL_WORDS} {words}",
        "-netdev", f"user,id=net,restrict=on,guestfwd=tcp:{SERVICE}-cmd:{service}",
        # Without its boot ROM: nobody wants to boot from there.
        "-device", "virtio-net-pci,netdev=net,romfile=",
    ]  # fmt: skip
    for disk in disks:
        # A snapshot: what the guest writes is gone afterwards, and several guests may share a disk.
        arguments += ["-drive", f"file={disk},format=raw,if=virtio,snapshot=on"]
    return arguments
