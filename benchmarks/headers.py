"""Kernel headers for bcc's own tools, which compile against them: Debian's, unpacked into a folder of the cache.

They are of Debian's kernel and not of the running one, which has none; for a tracepoint that makes no difference.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

from benchmarks.frame import cache_folder

_META = "linux-headers-amd64"


@cache
def environment() -> dict[str, str]:
    """What tells bcc where they are; empty where they can't be had."""
    folder = cache_folder() / "benchmarks" / "headers"
    if not folder.is_dir() and not _fetch(folder):
        print("Debian's kernel headers can't be had: going on without bcc's own tools", file=sys.stderr)
        return {}
    return {"BCC_KERNEL_SOURCE": str(folder), "PYTHONUNBUFFERED": "1"}


def _fetch(folder: Path) -> bool:
    depends = subprocess.run(["apt-cache", "depends", _META], check=False, capture_output=True, text=True).stdout
    found = re.search(r"Depends: (linux-headers-\S+)-amd64$", depends, re.MULTILINE)
    if found is None:
        return False
    print(f"Fetching {found[1]} for bcc's own tools", file=sys.stderr, flush=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
        work = Path(temporary)
        packages = [f"{found[1]}-common", f"{found[1]}-amd64"]
        fetched = subprocess.run(["apt-get", "download", "-qq", *packages], check=False, cwd=work, capture_output=True)
        if fetched.returncode:
            return False
        # Debian splits them into what all flavours share and what one has of its own; bcc wants one tree.
        for package in packages:
            for file in work.glob(f"{package}_*.deb"):
                subprocess.run(["dpkg", "-x", file, work / "unpacked"], check=True)
            source = work / "unpacked/usr/src" / package
            links = shutil.ignore_patterns("scripts", "tools")  # of a third package, for building modules
            shutil.copytree(source, work / "tree", symlinks=True, ignore=links, dirs_exist_ok=True)
        (work / "tree").rename(folder)
    return True
