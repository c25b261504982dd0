"""What the guest boots from: an initramfs with the modules of its kernel, a root disk, and a disk with this checkout.

The root disk is Debian with what the agent needs, made once. The checkout's disk is made anew for every run and is
mounted at the same path as here, so that the virtual environment and its entry points work unchanged.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from kernelmatrix.packages import MODULES
from kindcluster import base_image, versions
from kindcluster.steps import CACHE, StepFailed, cached, digest, run

HERE: Final = Path(__file__).parent
PACKAGES: Final = (
    "python3", "python3-bpfcc", "python3-venv", "bpftrace", "kmod", "procps", "binutils", "bash", "util-linux", "mount",
    "iproute2", "xfsprogs",
)  # fmt: skip
ROOT_MEGABYTES: Final = 1200
SOURCES: Final = ("crds", "node-agent", "operator", "tests")
LEFT_OUT: Final = (".git", ".*_cache", "mypy*", "ruff*", "kubernetes")
"""Of the checkout and its virtual environment: what no test in a guest imports, some 250 MB."""


@contextlib.contextmanager
def run_folder() -> Iterator[Path]:
    """A folder for what is made anew for every run. Those of runs that were killed are removed first.

    Each is locked by its run for as long as that lives; the kernel lets go of the lock however it ends.
    """
    every = CACHE / "kernel-matrix-runs"
    every.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as cleanup:
        with _locked(every):
            for left in every.iterdir():
                with contextlib.suppress(BlockingIOError), _locked(left, wait=False):
                    shutil.rmtree(left, ignore_errors=True)
            mine = Path(cleanup.enter_context(tempfile.TemporaryDirectory(dir=every)))
            cleanup.enter_context(_locked(mine))
        yield mine


@contextlib.contextmanager
def _locked(folder: Path, *, wait: bool = True) -> Iterator[None]:
    """BlockingIOError: somebody else has it, and we aren't to wait."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        yield
    finally:
        os.close(handle)


def root_disk() -> Path:
    """An ext4 image with Debian and python3-bpfcc; the init script is ours."""
    init = HERE / "guest-init.sh"

    def build(into: Path) -> None:
        tree = into / "tree"
        try:
            base_image.bootstrap(tree, *PACKAGES)
        except StepFailed as failure:
            said = f"the guests' Debian can't be installed from its archive (is that in reach?)\n{failure}"
            raise StepFailed(said) from failure
        shutil.copy(init, tree / "tracejob-init")
        (tree / "tracejob-init").chmod(0o755)
        _ext4(tree, into / "root.ext4", megabytes=ROOT_MEGABYTES)
        shutil.rmtree(tree)

    return cached("kernel-matrix-root", key=digest(init, versions.DEBIAN, *PACKAGES), build=build) / "root.ext4"


def initramfs(version: str, kernel: Path) -> Path:
    """busybox, the few modules that a virtio disk with ext4 needs, and a script that mounts it and goes on there."""
    script = HERE / "initramfs-init.sh"

    def build(into: Path) -> None:
        tree = into / "tree"
        for name in ("bin", "modules", "proc", "sys", "dev", "root"):
            (tree / name).mkdir(parents=True)
        shutil.copy("/bin/busybox", tree / "bin/busybox")
        loads = []
        for module in MODULES:
            found = sorted(kernel.glob(f"modules/*/kernel/**/{module}.ko*"))
            if found:
                _unpack(found[0], tree / "modules" / f"{module}.ko")
                loads.append(f"insmod /modules/{module}.ko")
        (tree / "init").write_text(script.read_text().replace("@LOADS@", "\n".join(loads)))
        (tree / "init").chmod(0o755)
        run(["sh", "-c", f"find . | cpio --quiet -o -H newc > {into / 'initramfs.cpio'}"], cwd=tree)
        shutil.rmtree(tree)

    key = digest(str(kernel), script, *MODULES)
    return cached(f"kernel-{version}-initramfs", key=key, build=build) / "initramfs.cpio"


def checkout_disk(into: Path, checkout: Path, *, folders: tuple[Path, ...], script: str) -> Path:
    """The checkout without its history, with its virtual environment; `folders` come along; `script` is what to run.

    The disk's layout is this machine's: /src/x stands at src/x. What it holds of byte code is made here: emulated, that
    takes longer than the tests.
    """
    tree = into / "tree"
    for source in (checkout, *folders):
        shutil.copytree(source, tree / source.relative_to("/"), symlinks=True, ignore=shutil.ignore_patterns(*LEFT_OUT))
    inside = tree / checkout.relative_to("/")
    run([sys.executable, "-m", "compileall", "-q", "-s", tree, "-p", "/", *(inside / name for name in SOURCES)])
    (tree / "command.sh").write_text(script)
    (tree / "roots").write_text("".join(f"{path}\n" for path in (checkout, *folders)))
    used = int(run(["du", "-sm", tree]).split()[0])
    _ext4(tree, into / "checkout.ext4", megabytes=used + 100)
    shutil.rmtree(tree)
    return into / "checkout.ext4"


def _ext4(tree: Path, target: Path, *, megabytes: int) -> None:
    run(["mke2fs", "-q", "-t", "ext4", "-O", "^metadata_csum,^orphan_file", "-d", tree, target, f"{megabytes}M"])


def _unpack(source: Path, target: Path) -> None:
    if source.suffix == ".xz":
        run(["sh", "-c", f"xz -dc {source} > {target}"])
    elif source.suffix == ".zst":
        run(["sh", "-c", f"zstd -qdc {source} > {target}"])
    else:
        shutil.copy(source, target)
