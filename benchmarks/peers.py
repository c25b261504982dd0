"""The tracers that ours is compared with: this machine's bpftrace, and Debian's newer ones in roots of their own.

A root is made once, by mmdebstrap, and kept below ~/.cache/tracejob/peers. It sees /proc, /sys, /dev and /tmp of this
machine, in a mount namespace that ends with the benchmark.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from benchmarks.frame import OURS, Tracer, cache_folder

_SUITES = {"trixie": (), "sid": ('--aptopt=Acquire::Check-Valid-Until "false"',)}
"""With what apt is to be told: a mirror's snapshot of sid may be older than its own Release says."""

_INSIDE = "TRACEJOB_BENCH_NAMESPACE"
_SHARED = ("proc", "sys", "dev", "tmp")


def enter_namespace() -> None:
    """Starts this command again in a mount namespace of its own, as root."""
    if os.environ.get(_INSIDE):
        return
    os.environ[_INSIDE] = "1"
    os.execvp("unshare", ["unshare", "--mount", "--propagation", "private", sys.executable, *sys.orig_argv[1:]])


def tracers() -> tuple[Tracer, ...]:
    """Ours first; then bpftrace from the newest on."""
    found = []
    for suite in reversed(_SUITES):
        root = _root(suite)
        if root is not None:
            tracer = Tracer("", ("chroot", str(root), "bpftrace"))
            found.append(Tracer(f"bpftrace {_version(tracer)}", tracer.command))
    if shutil.which("bpftrace"):
        own = Tracer("", ("bpftrace",))
        version = _version(own)
        # Before 0.20 it doesn't tell when its probes are on.
        tells = tuple(int(part) for part in version.split(".")[:2]) >= (0, 20)
        found.append(Tracer(f"bpftrace {version}", own.command, notice=own.notice if tells else ""))
    return (OURS, *found)


def _root(suite: str) -> Path | None:
    root = cache_folder() / "peers" / suite
    if not root.is_dir():
        print(f"Making a Debian {suite} with bpftrace in {root}", file=sys.stderr, flush=True)
        fresh = root.with_suffix(".new")
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.parent.mkdir(parents=True, exist_ok=True)
        command = [
            "mmdebstrap",
            "--quiet",
            "--variant=minbase",
            "--include=bpftrace",
            *_SUITES[suite],
            suite,
            str(fresh),
        ]
        if subprocess.run(command, check=False).returncode:
            print(f"Debian {suite} can't be had: going on without its bpftrace", file=sys.stderr)
            shutil.rmtree(fresh, ignore_errors=True)
            return None
        fresh.rename(root)
    for name in _SHARED:
        subprocess.run(["mount", "--rbind", f"/{name}", root / name], check=True)
    return root


def _version(tracer: Tracer) -> str:
    told = subprocess.run([*tracer.command, "--version"], check=True, stdout=subprocess.PIPE, text=True).stdout
    return told.split()[-1].lstrip("v").split("-")[0]


def root_bytes(suite: str) -> int:
    """What the root takes on disk: about what an image with it weighs."""
    root = cache_folder() / "peers" / suite
    if not root.is_dir():
        return 0
    told = subprocess.run(
        ["du", "-sbx", *(f"--exclude={root / name}/*" for name in _SHARED), root],
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    return int(told.stdout.split()[0]) if told.stdout else 0
