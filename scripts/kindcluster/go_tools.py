"""Kubernetes, kind and CoreDNS from the Go module registry.

In: the small modules beside this file and versions.py. Out: folders in the cache with one binary each.
"""

from __future__ import annotations

import re
import shutil
from functools import cache
from pathlib import Path

from kindcluster import versions
from kindcluster.steps import HERE, StepFailed, cached, digest, run

# One binary links statically, so that the node image's C library doesn't matter.
_STATIC = "-s -w -linkmode external -extldflags -static"


def kubernetes() -> Path:
    """The multicall binary: every Kubernetes program, picked by the name it is started as."""
    major, minor = versions.KUBERNETES.removeprefix("v").split(".")[:2]
    package = "k8s.io/component-base/version"
    stamps = {"gitVersion": versions.KUBERNETES, "gitMajor": major, "gitMinor": minor}
    flags = " ".join(f"-X {package}.{name}={value}" for name, value in stamps.items())
    return _module_binary("kubernetes", ldflags=f"{_STATIC} {flags}")


def coredns() -> Path:
    return _module_binary("coredns", ldflags="-s -w", cgo=False)


def kind() -> Path:
    """The folder with `kind`, unmodified, and `images`: what it keeps to make a node image from."""

    def build(into: Path) -> None:
        source = f"sigs.k8s.io/kind@{versions.KIND}"
        run([_go(), "install", source], env={**_env(cgo=False), "GOBIN": str(into)})
        module = run([_go(), "list", "-m", "-f", "{{.Dir}}", source], cwd=Path("/")).strip()
        shutil.copytree(Path(module) / "images", into / "images")
        run(["chmod", "-R", "u+w", into / "images"])

    return cached("kind", key=digest(versions.KIND), build=build) / "kind"


def _module_binary(name: str, *, ldflags: str, cgo: bool = True) -> Path:
    source = HERE / name

    def build(into: Path) -> None:
        flags = ["-trimpath", "-mod=readonly", "-tags", "netgo,osusergo", "-ldflags", ldflags]
        run([_go(), "build", *flags, "-o", into / name, "."], cwd=source, env=_env(cgo=cgo))

    return cached(name, key=digest(source, ldflags), build=build) / name


def _env(*, cgo: bool) -> dict[str, str]:
    return {"CGO_ENABLED": "1" if cgo else "0", "GOFLAGS": "-buildvcs=false", "GOTOOLCHAIN": "local"}


@cache
def _go() -> str:
    """A Go that is new enough: the one on PATH, else one from the module proxy, which serves toolchains as modules."""
    on_path = shutil.which("go") or shutil.which("go", path="/usr/local/go/bin")
    if on_path is not None and _release(run([on_path, "version"])) >= _release(f"go{versions.GO}"):
        return on_path
    return str(_fetched_go())


def _release(text: str) -> tuple[int, ...]:
    found = re.search(r"go(\d+)\.(\d+)(?:\.(\d+))?", text)
    if found is None:
        raise StepFailed(f"not the answer of `go version`: {text!r}")
    return tuple(int(part or 0) for part in found.groups())


def _fetched_go() -> Path:
    # Debian's Go is too old to build Kubernetes, but knows where modules come from.
    proxy = run(["go", "env", "GOPROXY"]).split(",")[0].strip()
    if not proxy.startswith("http"):
        raise StepFailed(f"no Go {versions.GO} on PATH, and GOPROXY={proxy} names no place to fetch it from")
    version = f"v0.0.1-go{versions.GO_FETCH}.linux-amd64"

    def build(into: Path) -> None:
        archive = into / "go.zip"
        run(["curl", "-fsSL", "--retry", "3", "-o", archive, f"{proxy}/golang.org/toolchain/@v/{version}.zip"])
        run(["python3", "-m", "zipfile", "-e", archive, into])
        archive.unlink()
        (into / f"golang.org/toolchain@{version}").rename(into / "go")
        run(["chmod", "-R", "u+x", into / "go/bin", into / "go/pkg/tool"])

    return cached("go", key=digest(version), build=build) / "go/bin/go"
