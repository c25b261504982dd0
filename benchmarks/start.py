"""Source to attached: from exec to the attach notice, side by side with the bpftrace binaries that this machine has.

    python benchmarks/start.py [--rounds N]

For each program and tracer: the median and the least of N rounds, in milliseconds, taken in turns so that what else the
machine does hits all alike. "cold" means that our cache hasn't seen
the program, "warm" that it has.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

NOTICE = "__BPFTRACE_NOTIFY_PROBES_ATTACHED"
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
OURS = Path(sys.executable).parent / "tracejob-bpftrace"
PEERS = Path("/root/peers")


@dataclass(slots=True)
class Tracer:
    name: str
    command: list[str]
    cache: str | None  # None: not ours
    is_cold: bool = False
    times: list[float] = field(default_factory=list)

    def prepare(self, program: str) -> None:
        if self.cache:
            self.measure(program)
            self.times.clear()

    def measure(self, program: str) -> None:
        if self.cache and self.is_cold:
            for entry in Path(self.cache).glob("*-*"):
                # The header tree and the index of types belong to the kernel, not to the program.
                if entry.name.startswith(("plan-", "code-")):
                    entry.unlink()
        environment = os.environ | {NOTICE: "1"}
        if self.cache:
            # As installed: with byte code of its Python files, wherever these lie.
            environment |= {"TRACEJOB_CACHE": self.cache, "PYTHONPYCACHEPREFIX": f"{self.cache}-python"}
            environment.pop("PYTHONDONTWRITEBYTECODE", None)
        start = time.perf_counter()
        process = subprocess.Popen(
            ["timeout", "20", *self.command, "-B", "line", "-e", program],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=environment,
        )
        assert process.stdout
        for line in process.stdout:
            if NOTICE.encode() in line:
                self.times.append((time.perf_counter() - start) * 1000)
                break
        process.terminate()
        process.stdout.read()
        process.wait()


def tracers(folder: Path) -> list[Tracer]:
    found = [
        Tracer("tracejob, cold", [str(OURS)], str(folder / "cold"), is_cold=True),
        Tracer("tracejob, warm", [str(OURS)], str(folder / "warm")),
    ]
    for name, command in (
        ("bpftrace (this machine)", ["bpftrace"]),
        ("bpftrace (trixie)", ["chroot", str(PEERS / "trixie"), "bpftrace"]),
        ("bpftrace (sid)", ["chroot", str(PEERS / "sid"), "bpftrace"]),
    ):
        if shutil.which(command[0]) and (command[0] != "chroot" or Path(command[1]).is_dir()):
            found.append(Tracer(name, command, None))
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, default=10)
    rounds = parser.parse_args().rounds
    print("| program | tracer | median ms | least ms |\n|---|---|---|---|")
    with tempfile.TemporaryDirectory() as temporary:
        for label, program in PROGRAMS.items():
            compared = tracers(Path(temporary))
            for tracer in compared:
                tracer.prepare(program)
            for _ in range(rounds):
                for tracer in compared:
                    tracer.measure(program)
            for tracer in compared:
                if tracer.times:
                    median, least = statistics.median(tracer.times), min(tracer.times)
                    print(f"| {label} | {tracer.name} | {median:.0f} | {least:.0f} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
