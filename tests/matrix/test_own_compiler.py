"""The command as it is installed, its own compiler included, on this kernel. All other tests here compile outside."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

COMMAND = str(Path(__file__).parents[2] / ".venv/bin/tracejob-bpftrace")


def test_the_installed_command_compiles_attaches_and_counts() -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TRACEJOB_TEST_")}
    program = 'kprobe:__x64_sys_getppid /comm == "sh"/ { @n = count(); }'
    done = subprocess.run(
        [COMMAND, "-c", "/bin/sh -c :", "-e", program],
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
        env=environment | {"TRACEJOB_CACHE": ""},
    )
    assert done.returncode == 0, done.stderr
    assert "@n: 1" in done.stdout, done.stdout
