"""Source to attached: from exec to the attach notice, and what comes after, side by side with the bpftrace binaries.

    python benchmarks/start.py [--rounds N]

For each program and tracer the least of N rounds, taken in turns so that what else the machine does hits all alike:

    attached   from exec until the tracer says that its probes are on
    result     from Ctrl-C until the last map is printed; ended: until the process is gone
    RSS        resident memory a second after it was attached

"cold" means that our cache hasn't seen the program (but knows the kernel), "warm" that it has. The ratio is by the
newest bpftrace that is there.
"""

from __future__ import annotations

import argparse
import os
import selectors
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

NOTICE = "__BPFTRACE_NOTIFY_PROBES_ATTACHED"
OURS = Path(sys.executable).parent / "tracejob-bpftrace"
PROGRAMS = {
    "one tracepoint, count": "tracepoint:syscalls:sys_enter_getpgid { @[comm] = count(); }",
    "printf with strings": (
        'tracepoint:syscalls:sys_enter_openat { printf("%d %s %s\\n", pid, comm, str(args.filename)); }'
    ),
    "histogram of latency": (
        "tracepoint:syscalls:sys_enter_read { @s[tid] = nsecs; } "
        "tracepoint:syscalls:sys_exit_read /@s[tid]/ { @us = hist((nsecs - @s[tid]) / 1000); delete(@s[tid]); }"
    ),
    "kernel struct": "tracepoint:syscalls:sys_enter_getpgid { @[curtask->comm, curtask->pid] = count(); }",
    "profile with stacks": "profile:hz:99 { @[kstack] = count(); }",
}
_PATIENCE = 60.0
_SETTLED = 1.0
_SUITES = {"sid": ('--aptopt=Acquire::Check-Valid-Until "false"',), "trixie": ()}
"""Debian's newer bpftrace, the newest first, with what apt is to be told: a snapshot of sid may have expired."""

_SHARED = ("proc", "sys", "dev", "tmp")
_INSIDE = "TRACEJOB_BENCH_NAMESPACE"


@dataclass(slots=True)
class Runner:
    """One tracer in one state of our cache. Seconds and bytes of all rounds."""

    name: str
    command: tuple[str, ...]
    cache: Path
    is_cold: bool = False
    attached: list[float] = field(default_factory=list)
    result: list[float] = field(default_factory=list)
    ended: list[float] = field(default_factory=list)
    resident: list[int] = field(default_factory=list)

    def measure(self, program: str, *, stays: bool) -> None:
        """stays: long enough to be weighed."""
        if self.is_cold:
            for entry in (*self.cache.glob("plan-*"), *self.cache.glob("code-*")):
                # The header tree and the index of types belong to the kernel, not to the program: they stay.
                entry.unlink()
        start = time.perf_counter()
        process = subprocess.Popen(
            [*self.command, "-e", program],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=os.environ | {NOTICE: "1", "TRACEJOB_CACHE": str(self.cache)},
        )
        try:
            output = Output(process)
            self.attached.append(output.until(NOTICE.encode()) - start)
            if stays:
                time.sleep(_SETTLED)
                self.resident.append(_resident(process.pid))
            asked = time.perf_counter()
            process.send_signal(signal.SIGINT)
            self.result.append(output.until_the_end() - asked)
            process.wait(_PATIENCE)
            self.ended.append(time.perf_counter() - asked)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()


class Output:
    """What a process prints, with the time at which it came."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None
        self._descriptor = process.stdout.fileno()
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._descriptor, selectors.EVENT_READ)

    def until(self, text: bytes) -> float:
        """When `text` came. Raises RuntimeError when it doesn't."""
        seen = b""
        while text not in seen:
            chunk = self._read()
            if not chunk:
                raise RuntimeError(f"no {text.decode()}: {seen.decode(errors='replace')}")
            seen += chunk
        return time.perf_counter()

    def until_the_end(self) -> float:
        """When the last of it came."""
        last = time.perf_counter()
        while self._read():
            last = time.perf_counter()
        return last

    def _read(self) -> bytes:
        return os.read(self._descriptor, 1 << 16) if self._selector.select(_PATIENCE) else b""


def _resident(pid: int) -> int:
    fields = Path(f"/proc/{pid}/statm").read_text().split()
    return int(fields[1]) * os.sysconf("SC_PAGESIZE")


def measured(peers: dict[str, tuple[str, ...]], *, rounds: int, folder: Path) -> dict[str, list[Runner]]:
    """By program. peers: commands by name, the newest bpftrace first."""
    found = {}
    for label, program in PROGRAMS.items():
        runners = [
            Runner("tracejob, cold", (str(OURS),), folder / "cold", is_cold=True),
            Runner("tracejob, warm", (str(OURS),), folder / "warm"),
            *(Runner(name, command, folder) for name, command in peers.items()),
        ]
        for number in range(rounds + 1):
            for runner in runners:
                runner.measure(program, stays=number == rounds)
                if number == 0:  # it filled the caches, the kernel's and ours
                    runner.attached, runner.result, runner.ended = [], [], []
        found[label] = runners
    return found


def enter_namespace() -> None:
    """Starts this command again, as root, in a mount namespace that ends with it."""
    if not os.environ.get(_INSIDE):
        os.environ[_INSIDE] = "1"
        os.execvp("unshare", ["unshare", "--mount", "--propagation", "private", sys.executable, *sys.orig_argv[1:]])


def peer_commands() -> dict[str, tuple[str, ...]]:
    """Those of Debian's releases that can be had, by "bpftrace VERSION"; they are made once and kept."""
    found = {}
    for suite, words in _SUITES.items():
        root = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "tracejob/peers" / suite
        if not root.is_dir() and not _make_root(root, suite, words):
            continue
        for name in _SHARED:
            subprocess.run(["mount", "--rbind", f"/{name}", root / name], check=True)
        command = ("chroot", str(root), "bpftrace")
        told = subprocess.run([*command, "--version"], check=True, stdout=subprocess.PIPE, text=True).stdout
        found[f"bpftrace {told.split()[-1].lstrip('v').split('-')[0]}"] = command
    return found


def _make_root(root: Path, suite: str, words: tuple[str, ...]) -> bool:
    """Whether there is one now."""
    sys.stderr.write(f"Making a Debian {suite} with bpftrace in {root}\n")
    fresh = root.with_suffix(".new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.parent.mkdir(parents=True, exist_ok=True)
    command = ["mmdebstrap", "--quiet", "--variant=minbase", "--include=bpftrace", *words, suite, str(fresh)]
    if subprocess.run(command, check=False).returncode:
        sys.stderr.write(f"Debian {suite} can't be had: going on without its bpftrace\n")
        shutil.rmtree(fresh, ignore_errors=True)
        return False
    fresh.rename(root)
    return True


def table(found: dict[str, list[Runner]]) -> str:
    lines = [
        "| program | tracer | attached, ms | by the newest bpftrace | result, ms | ended, ms | RSS, MiB |",
        "|---|---|---|---|---|---|---|",
    ]
    for label, runners in found.items():
        newest = min(runners[2].attached) if len(runners) > 2 else 0.0
        for runner in runners:
            least = min(runner.attached)
            ratio = f"{least / newest:.2f}" if newest else "-"
            cells = (least * 1000, min(runner.result) * 1000, min(runner.ended) * 1000, min(runner.resident) / 2**20)
            attached, result, ended, resident = (f"{cell:.0f}" for cell in cells)
            lines.append(f"| {label} | {runner.name} | {attached} | {ratio} | {result} | {ended} | {resident} |")
    return "\n".join(lines) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, default=10)
    rounds = parser.parse_args().rounds
    enter_namespace()
    # Other work on the machine waits for the programs that are measured; all of them alike.
    os.setpriority(os.PRIO_PROCESS, 0, -20)
    with tempfile.TemporaryDirectory() as temporary:
        sys.stdout.write(table(measured(peer_commands(), rounds=rounds, folder=Path(temporary))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
