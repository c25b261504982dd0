"""A Debian slim image made on this machine: the BASE of our Dockerfile where no image registry is in reach.

In: the Debian mirror. Out: an image in the Docker daemon, without documentation, manual pages and locales.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from kindcluster import versions
from kindcluster.docker_host import docker
from kindcluster.steps import HERE, cached, digest, run

# What Debian's own slim images leave out too. Copyright files stay: licences ask for them.
SLIM: Final = [
    f"--dpkgopt={rule}"
    for rule in (
        "path-exclude=/usr/share/doc/*",
        "path-include=/usr/share/doc/*/copyright",
        "path-exclude=/usr/share/man/*",
        "path-exclude=/usr/share/info/*",
        "path-exclude=/usr/share/locale/*",
        "path-exclude=/usr/share/lintian/*",
    )
]
# The root is merged from the start, so that usrmerge has nothing to do; it would bring 50 MB of Perl.
_PERL: Final = "^(usrmerge|perl|perl-modules-.*|libperl.*|lib.*-perl)$"
_WITHOUT_PERL: Final = (
    f"chroot \"$1\" dpkg-query -W -f '${{Package}}\\n' | grep -E '{_PERL}' | xargs chroot \"$1\" dpkg --purge"
)


def ensure() -> str:
    """The image's name; built and imported when it is missing."""
    key = digest(versions.DEBIAN, HERE / "base_image.py")
    name = f"tracejob/debian-slim:{key}"
    if not docker("images", "-q", name).strip():
        archive = cached("debian-slim", key=key, build=lambda into: bootstrap(into / "base.tar")) / "base.tar"
        docker("import", "-c", 'CMD ["/bin/bash"]', archive, name)
    return name


def bootstrap(target: Path, *packages: str) -> None:
    """A root file system (folder or .tar by its name) with these packages on top of the smallest that apt works in."""
    include = [f"--include={','.join(('usr-is-merged', *packages))}"]
    hook = [] if packages else [f"--customize-hook={_WITHOUT_PERL}"]
    # mmdebstrap's own sources (the suite, its updates and its security updates): a machine's third-party lists may be
    # out of reach, and have no place in an image.
    options = ["--variant=minbase", "--quiet", *SLIM, *include, *hook]
    # What it mounts below the target is seen by itself alone, and is gone with it, however it ends.
    run(["unshare", "--mount", "mmdebstrap", *options, versions.DEBIAN, target])
