"""The test programs: C sources in, a folder of executables out; `python -m language.build` prints the folder."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

SOURCES = Path(__file__).parent / "programs"


def build_programs() -> Path:
    """Compiled when their source is newer. A guest of the kernel matrix is given them: it has no compiler."""
    given = os.environ.get("TRACEJOB_TEST_PROGRAMS")
    if given:
        return Path(given)
    folder = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "tracejob" / "test-programs"
    folder.mkdir(parents=True, exist_ok=True)
    for source in sorted(SOURCES.glob("*.c")):
        target = folder / source.stem
        if not target.exists() or target.stat().st_mtime < source.stat().st_mtime:
            _compile(source, target)
    return folder


def _compile(source: Path, target: Path) -> None:
    compiler = shutil.which("gcc")
    assert compiler, "the test programs need gcc: make install-deps"
    partial = target.with_suffix(f".{os.getpid()}")
    command = [compiler, "-g", "-O0", "-fno-omit-frame-pointer", "-rdynamic", "-pthread", "-o", str(partial)]
    subprocess.run([*command, str(source)], check=True)
    partial.rename(target)


if __name__ == "__main__":
    print(build_programs())
