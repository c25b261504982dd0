"""A folder for what is expensive to find out about this machine: bytes by key, lost without harm.

Root's is /var/cache/tracejob, a user's is ~/.cache/tracejob; TRACEJOB_CACHE names another ("" turns it off). A
folder that can't be written or that somebody else owns is as good as none.
"""

from __future__ import annotations

import contextlib
import os
from functools import cache
from pathlib import Path


@cache
def cache_folder() -> Path | None:
    """The folder, made with mode 0700; None when there can't be one."""
    named = os.environ.get("TRACEJOB_CACHE")
    if named == "":
        return None
    if named:
        folder = Path(named)
    elif os.geteuid() == 0:
        folder = Path("/var/cache/tracejob")
    else:
        folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tracejob"
    with contextlib.suppress(OSError):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        # What lies here is believed: another user's folder is not ours to believe.
        return folder if folder.stat().st_uid == os.geteuid() else None
    except OSError:
        return None


def read_cached(key: str) -> bytes | None:
    folder = cache_folder()
    if folder is None:
        return None
    try:
        return (folder / key).read_bytes()
    except OSError:
        return None


def write_cached(key: str, data: bytes) -> None:
    """Whole or not at all: written aside and renamed."""
    folder = cache_folder()
    if folder is None:
        return
    with contextlib.suppress(OSError):
        aside = folder / f".new-{os.getpid()}-{key}"
        try:
            with aside.open("xb") as file:
                file.write(data)
            aside.rename(folder / key)
        except OSError:
            aside.unlink(missing_ok=True)
