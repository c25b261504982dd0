"""Doing things in sight of the reader: run a command, time a step, keep what was built under the hash of its inputs.

In: commands and build functions. Out: their results in the cache folder, and one line per step on stderr.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Final

HERE = Path(__file__).resolve().parent
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tracejob"
_START = time.monotonic()
_UNFINISHED: Final = ".new"


class StepFailed(Exception):
    """A command that must not fail did; the text is what it printed last."""


def say(text: str) -> None:
    # One write, as several steps may run at the same time.
    sys.stderr.write(f"[{time.monotonic() - _START:6.1f}s] {text}\n")
    sys.stderr.flush()


@contextlib.contextmanager
def step(text: str) -> Iterator[None]:
    say(f"{text} ...")
    begin = time.monotonic()
    yield
    say(f"{text}: done in {time.monotonic() - begin:.1f} s")


def run(
    command: Sequence[str | Path],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdin: str | None = None,
    check: bool = True,
    timeout: float = 1800,
) -> str:
    """Return the command's stdout; when it fails, raise with the end of what it said."""
    try:
        done = subprocess.run(
            [str(part) for part in command],
            cwd=cwd,
            env={**os.environ, **(env or {})},
            input=stdin if stdin is not None else "",
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout,
        )
    except subprocess.TimeoutExpired as late:
        raise StepFailed(f"{' '.join(map(str, command))}\ndidn't end within {timeout:g} s") from late
    if check and done.returncode != 0:
        said = (done.stderr + done.stdout)[-4000:]
        raise StepFailed(f"{' '.join(map(str, command))}\nexited with {done.returncode}:\n{said}")
    return done.stdout


def digest(*inputs: str | Path) -> str:
    """One hash of texts and of files (folders: every file below, by name and content)."""
    total = hashlib.sha256()
    for each in inputs:
        for name, content in _contents(each):
            total.update(f"{name}\0{len(content)}\0".encode())
            total.update(content)
    return total.hexdigest()[:16]


def _contents(each: str | Path) -> Iterable[tuple[str, bytes]]:
    if isinstance(each, str):
        yield "", each.encode()
    elif each.is_dir():
        for path in sorted(p for p in each.rglob("*") if p.is_file() and "__pycache__" not in p.parts):
            yield str(path.relative_to(each)), path.read_bytes()
    else:
        yield each.name, each.read_bytes()


def cached(name: str, *, key: str, build: Callable[[Path], None]) -> Path:
    """The folder that `build` filled for this key; built at most once, other keys of that name are dropped.

    What a killed run left half done is removed. Its children may still write there: each build has a folder of its own.
    """
    folder = CACHE / name
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        _lock(lock, waiting=f"waiting for another run that makes {name}")
        for unfinished in folder.glob(f"*{_UNFINISHED}"):
            shutil.rmtree(unfinished, ignore_errors=True)
        ready = folder / key
        if ready.is_dir():
            return ready
        fresh = Path(tempfile.mkdtemp(dir=folder, suffix=_UNFINISHED))
        fresh.chmod(0o755)
        with step(f"building {name} (kept in {ready})"):
            build(fresh)
            os.sync()  # a machine that crashes now must not be left with the name of what isn't on its disk
        fresh.rename(ready)
        for old in folder.iterdir():
            if old.is_dir() and old != ready:
                shutil.rmtree(old, ignore_errors=True)
        return ready


def _lock(file: IO[str], *, waiting: str) -> None:
    """The kernel lets go of it when its holder ends, however that happens."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        say(f"{waiting} ...")
        fcntl.flock(file, fcntl.LOCK_EX)
