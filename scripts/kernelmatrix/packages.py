"""Debian's cloud kernels, by version: which suite has one, and its files out of the package; and a newer suite's tools.

In: a version ("6.1"). Out: a folder with `vmlinuz` and `modules/`, from the mirror that this machine's apt uses.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

from kindcluster.steps import StepFailed, cached, digest, run

SUITES: Final = {"5.10": "bullseye", "6.1": "bookworm", "6.12": "trixie", "7.2": "sid"}
NEWER_TOOLS: Final = "trixie"
"""The guests have bookworm's bpftrace package. Some of its tools ask for functions that newer kernels don't have."""
KEYRING: Final = "/usr/share/keyrings/debian-archive-keyring.gpg"
_PATIENCE: Final = 300
"""Seconds for some 60 MB."""

# What a root disk needs, then the network's card, then what tools trace; in the order that they load. A name that a
# kernel has built in is passed over.
MODULES: Final = (
    "virtio", "virtio_ring", "virtio_pci_legacy_dev", "virtio_pci_modern_dev", "virtio_pci", "virtio_mmio",
    "virtio_blk", "crc16", "crc32c_generic", "libcrc32c", "crc32c-cryptoapi", "mbcache", "jbd2", "ext4",
    "failover", "net_failover", "virtio_net", "loop", "brd", "xfs", "md-mod", "raid0",
)  # fmt: skip


def kernel(version: str) -> Path:
    """The unpacked kernel package of that version."""
    suite = SUITES[version]
    return cached(f"kernel-{version}", key=digest(version, suite), build=lambda into: _fetch(suite, into))


def mirror() -> str:
    """The archive that apt on this machine reads."""
    found = _known_mirror()
    if not found:
        # The name that an archive goes by stands in its lists, and machines made from an image come without lists.
        run(["apt-get", "update"], timeout=_PATIENCE, check=False)
        found = _known_mirror()
    if not found:
        raise StepFailed("apt on this machine can reach no Debian archive (apt-get update says why)")
    return found


def _known_mirror() -> str:
    for line in run(["apt-get", "indextargets", "--format", "$(REPO_URI) $(LABEL)"]).splitlines():
        uri, _, label = line.partition(" ")
        if label == "Debian":
            return uri
    return ""


def tools() -> Path:
    """A folder with the .bt files of the newer suite's bpftrace package."""

    def build(into: Path) -> None:
        apt = _apt(NEWER_TOOLS, into / "apt")
        run(["apt-get", *apt, "download", "bpftrace"], cwd=into, timeout=_PATIENCE)
        (archive,) = into.glob("bpftrace_*.deb")
        run(["dpkg-deb", "-x", archive, into / "root"])
        for program in (into / "root/usr/sbin").glob("*.bt"):
            program.rename(into / program.name)
        for leftover in (into / "root", into / "apt"):
            shutil.rmtree(leftover)
        archive.unlink()

    return cached("kernel-matrix-tools", key=digest(NEWER_TOOLS), build=build)


def _fetch(suite: str, into: Path) -> None:
    apt = _apt(suite, into / "apt")
    image_package = _concrete(run(["apt-cache", *apt, "depends", "linux-image-cloud-amd64"]), suite)
    # Since 7.x the image's package is empty, and its parts are packages of their own.
    names = [image_package, *_parts(run(["apt-cache", *apt, "depends", image_package]))]
    run(["apt-get", *apt, "download", *names], cwd=into, timeout=_PATIENCE)
    archives = sorted(into.glob("linux-*.deb"))
    for archive in archives:
        run(["dpkg-deb", "-x", archive, into / "root"])
    image = next(path for path in (into / "root").rglob("vmlinuz*") if path.is_file())
    image.rename(into / "vmlinuz")
    modules = next(path for path in (into / "root").rglob("modules") if path.parent.name == "lib")
    shutil.move(modules, into / "modules")
    for leftover in (into / "root", into / "apt"):
        shutil.rmtree(leftover)
    for archive in archives:
        archive.unlink()


def _concrete(depends: str, suite: str) -> str:
    """The package that the meta package stands for; some suites name a small helper package beside it."""
    for line in depends.splitlines():
        kind, _, name = line.strip().partition(": ")
        if kind == "Depends" and name.startswith("linux-image-"):
            return name
    raise StepFailed(f"linux-image-cloud-amd64 of {suite} depends on no kernel:\n{depends}")


def _parts(depends: str) -> list[str]:
    """Packages that hold the image and the modules, where they are apart from it."""
    names = [line.strip().partition("Depends: ")[2] for line in depends.splitlines()]
    return [name for name in names if name.startswith(("linux-binary-", "linux-modules-"))]


def _apt(suite: str, folder: Path) -> list[str]:
    """Options for a private apt that has read that suite: the machine's own lists and choices stay as they are."""
    options = _apt_options(suite, folder)
    try:
        run(["apt-get", *options, "update"], timeout=_PATIENCE)
    except StepFailed as failure:
        raise StepFailed(f"Debian's {suite} can't be read from {mirror()}\n{failure}") from failure
    return options


def _apt_options(suite: str, folder: Path) -> list[str]:
    for name in ("lists/partial", "cache/archives/partial"):
        (folder / name).mkdir(parents=True)
    sources = folder / "sources.list"
    sources.write_text(f"deb [signed-by={KEYRING}] {mirror()} {suite} main\n")
    settings = {
        "Dir::Etc::sourcelist": sources,
        "Dir::Etc::sourceparts": "/dev/null",
        "Dir::State::lists": folder / "lists",
        "Dir::Cache": folder / "cache",
        "APT::Sandbox::User": "root",
        # A mirror may lag behind: the signature counts, its date doesn't.
        "Acquire::Check-Valid-Until": "false",
        # Otherwise a list that can't be read is a warning, and the next command knows no package.
        "APT::Update::Error-Mode": "any",
    }
    return [part for name, value in settings.items() for part in ("-o", f"{name}={value}")]
