"""A Docker daemon to build with and to run kind on: the one that answers, else one started from Debian's packages.

In: the machine. Out: `docker` works, and so does `docker run --privileged` where CAP_SYS_RESOURCE is missing.
A daemon started here stays up, so that the cluster can be used again; `stop()` ends it.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from functools import cache
from pathlib import Path

from kindcluster.steps import CACHE, HERE, StepFailed, run, say, step

_LOGS = CACHE / "docker"
_CAP_SYS_RESOURCE = 24


def docker(*arguments: str | Path, check: bool = True, stdin: str | None = None) -> str:
    return run([client(), *arguments], check=check, stdin=stdin, env={"DOCKER_BUILDKIT": "1"})


@cache
def client() -> str:
    """Debian's client where Debian's daemon is: another client's BuildKit needs a plugin that isn't there."""
    debian = Path("/usr/bin/docker")
    chosen = str(debian) if debian.exists() else shutil.which("docker")
    if chosen is None:
        raise StepFailed("no docker here: `make install-deps` installs Debian's docker.io")
    return chosen


def client_path() -> str:
    """A PATH on which kind finds the same client."""
    return f"{Path(client()).parent}:{os.environ['PATH']}"


def ensure() -> None:
    """Return when the daemon answers; start one when none does."""
    if answers():
        return
    if not Path("/usr/sbin/dockerd").exists():
        raise StepFailed("the Docker daemon doesn't answer, and there is no /usr/sbin/dockerd to start")
    with step("starting containerd and dockerd"):
        _LOGS.mkdir(parents=True, exist_ok=True)
        socket = Path("/run/containerd/containerd.sock")
        if not _succeeds(["ctr", "version"]):  # A socket may be left of a containerd that was killed.
            _start("containerd", ["containerd"])
        _start("dockerd", ["dockerd", "--containerd", str(socket), *_runtime_flags()])
        deadline = time.monotonic() + 60
        while not answers():
            if time.monotonic() > deadline:
                raise StepFailed(f"dockerd doesn't answer; its log is {_LOGS}/dockerd.log")
            time.sleep(0.2)


def answers() -> bool:
    return _succeeds([client(), "version"])


def _succeeds(command: list[str]) -> bool:
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def stop() -> None:
    """End the daemons that `ensure` started, and only those."""
    for name in ("dockerd", "containerd"):
        pid_file = _LOGS / f"{name}.pid"
        if not pid_file.exists():
            continue
        pid = int(pid_file.read_text())
        command = Path(f"/proc/{pid}/comm")
        if command.exists() and command.read_text().strip() == name:
            say(f"stopping {name} ({pid})")
            os.kill(pid, signal.SIGTERM)
            deadline = time.monotonic() + 20
            while command.exists() and time.monotonic() < deadline:
                time.sleep(0.1)
        pid_file.unlink()


def _start(name: str, command: list[str]) -> None:
    with (_LOGS / f"{name}.log").open("ab") as log:
        daemon = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
    (_LOGS / f"{name}.pid").write_text(str(daemon.pid))
    time.sleep(0.5)


def _runtime_flags() -> list[str]:
    """A privileged container asks for every capability; where this machine lacks one, runc fails, so drop it there."""
    status = Path("/proc/self/status").read_text()
    bounding = int(next(line.split()[1] for line in status.splitlines() if line.startswith("CapBnd")), 16)
    if bounding >> _CAP_SYS_RESOURCE & 1:
        return []
    wrapper = _LOGS / "runc-without-sys-resource"
    shutil.copyfile(HERE / "runc-without-sys-resource.sh", wrapper)
    wrapper.chmod(0o755)
    return ["--add-runtime", f"tracejob={wrapper}", "--default-runtime", "tracejob"]
