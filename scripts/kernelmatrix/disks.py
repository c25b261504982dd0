"""What the guest boots from: an initramfs with the modules of its kernel, a root disk, and a disk with this checkout.

The root disk is Debian with what the agent needs, made once. The checkout's disk is made anew for every run and is
mounted at the same path as here, so that the virtual environment and its entry points work unchanged.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

from kindcluster import base_image, versions
from kindcluster.steps import CACHE, cached, digest, run

from kernelmatrix.packages import MODULES

HERE: Final = Path(__file__).parent
PACKAGES: Final = (
    "python3", "python3-bpfcc", "python3-venv", "kmod", "procps", "binutils", "bash", "util-linux", "mount", "iproute2",
)  # fmt: skip
ROOT_MEGABYTES: Final = 1200


def root_disk() -> Path:
    """An ext4 image with Debian and python3-bpfcc; the init script is ours."""
    init = HERE / "guest-init.sh"

    def build(into: Path) -> None:
        tree = into / "tree"
        base_image.bootstrap(tree, *PACKAGES)
        shutil.copy(init, tree / "tracejob-init")
        (tree / "tracejob-init").chmod(0o755)
        _ext4(tree, into / "root.ext4", megabytes=ROOT_MEGABYTES)
        shutil.rmtree(tree)

    return cached("kernel-matrix-root", key=digest(init, versions.DEBIAN, *PACKAGES), build=build) / "root.ext4"


def initramfs(kernel: Path) -> Path:
    """busybox, the few modules that a virtio disk with ext4 needs, and a script that mounts it and goes on there."""
    target = kernel / "initramfs.cpio"
    if target.exists():
        return target
    tree = kernel / "initramfs"
    for name in ("bin", "modules", "proc", "sys", "dev", "root"):
        (tree / name).mkdir(parents=True, exist_ok=True)
    shutil.copy("/bin/busybox", tree / "bin/busybox")
    loads = []
    for module in MODULES:
        found = sorted(kernel.glob(f"modules/*/kernel/**/{module}.ko*"))
        if found:
            _unpack(found[0], tree / "modules" / f"{module}.ko")
            loads.append(f"insmod /modules/{module}.ko")
    script = (HERE / "initramfs-init.sh").read_text().replace("@LOADS@", "\n".join(loads))
    (tree / "init").write_text(script)
    (tree / "init").chmod(0o755)
    partial = target.with_suffix(".partial")
    run(["sh", "-c", f"find . | cpio --quiet -o -H newc > {partial}"], cwd=tree)
    partial.rename(target)
    return target


def checkout_disk(checkout: Path, command: str, *, extra: tuple[Path, ...]) -> Path:
    """The checkout without its history, with its virtual environment and the command to run; `extra` paths come along.

    The disk's layout is the host's: /src/x stands at src/x.
    """
    folder = CACHE / "kernel-matrix-run"
    shutil.rmtree(folder, ignore_errors=True)
    tree = folder / "tree"
    for source in (checkout, *extra):
        destination = tree / source.relative_to("/")
        left_out = shutil.ignore_patterns(".git", "__pycache__", ".*_cache")
        shutil.copytree(source, destination, symlinks=True, ignore=left_out)
    (tree / "command.sh").write_text(f"cd {checkout}\n{command}\n")
    (tree / "roots").write_text("".join(f"{path}\n" for path in (checkout, *extra)))
    used = int(run(["du", "-sm", tree]).split()[0])
    _ext4(tree, folder / "checkout.ext4", megabytes=used + 200)
    shutil.rmtree(tree)
    return folder / "checkout.ext4"


def _ext4(tree: Path, target: Path, *, megabytes: int) -> None:
    run(["mke2fs", "-q", "-t", "ext4", "-O", "^metadata_csum,^orphan_file", "-d", tree, target, f"{megabytes}M"])


def _unpack(source: Path, target: Path) -> None:
    if source.suffix == ".xz":
        run(["sh", "-c", f"xz -dc {source} > {target}"])
    elif source.suffix == ".zst":
        run(["sh", "-c", f"zstd -qdc {source} > {target}"])
    else:
        shutil.copy(source, target)
