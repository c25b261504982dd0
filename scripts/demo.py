"""`make demo`: a small workload, traced on this machine by `kubectl trace run --local`, without a cluster.

Starts a process that opens files, shows three programs on it (system calls per second, a latency histogram, single
events), and tells what tracing took. Each step prints the command it runs, so that it can be typed again.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TRACE = Path(sys.executable).parent / "kubectl-trace"

WORKLOAD = """
import os, sys, time
open("/proc/self/comm", "w").write("demo-shop")
folder = sys.argv[1]
parent = os.getppid()
number = 0
while os.getppid() == parent:  # ends with the demo, however that ends
    number += 1
    path = f"{folder}/order-{number % 7}"
    fd = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC)
    os.write(fd, b"x" * (number % 5000))
    if number % 10 == 0:
        os.fsync(fd)
    os.close(fd)
    try:
        os.stat(f"{folder}/price-list")
    except OSError:
        pass
    time.sleep(0.005)
"""

STEPS = (
    (
        "System calls of the workload, counted in the kernel, every second",
        "tracepoint:raw_syscalls:sys_enter { @calls[syscall_name(args.id)] = count(); }\n"
        'interval:s:1 { time("%H:%M:%S\\n"); print(@calls, 5); clear(@calls); }',
        3.9,
    ),
    (
        "How long openat takes, in nanoseconds",
        "tracepoint:syscalls:sys_enter_openat { @start[tid] = nsecs; }\n"
        "tracepoint:syscalls:sys_exit_openat /@start[tid]/ {\n"
        "  @openat_ns = hist(nsecs - @start[tid]); delete(@start[tid]);\n"
        "}\n"
        "end { clear(@start); }",
        4.0,
    ),
    (
        "Single events, with their arguments: the first five files it opens",
        "tracepoint:syscalls:sys_enter_openat /@seen < 5/ {\n"
        '  @seen++; printf("%s (pid %d) opens %s\\n", comm, pid, str(args.filename));\n'
        "}\n"
        "interval:ms:100 /@seen >= 5/ { exit(); }",
        5.0,
    ),
)


def main() -> int:
    if os.geteuid() != 0:
        sys.exit("make demo needs root: BPF programs are loaded into the kernel")
    if not Path("/sys/kernel/tracing/events").is_dir():
        subprocess.run(["mount", "-t", "tracefs", "nodev", "/sys/kernel/tracing"], check=True)
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="tracejob-demo-") as folder:
        workload = subprocess.Popen([sys.executable, "-c", WORKLOAD, folder])
        print(
            f"A workload runs: demo-shop, pid {workload.pid}. It writes small files and looks for one that isn't there."
        )
        try:
            for title, program, seconds in STEPS:
                _step(title, program, pid=workload.pid, seconds=seconds)
        except KeyboardInterrupt:
            return 130
        finally:
            workload.kill()
            workload.wait()
    print(f'\nThe demo took {time.monotonic() - started:.0f} s. Next: README.md, "A two-minute tour".')
    return 0


def _step(title: str, program: str, *, pid: int, seconds: float) -> None:
    words = ["run", "--local", f"pid/{pid}", "--duration", f"{seconds:g}s", "-e", program]
    print(f"\n\033[1m== {title}\033[0m" if sys.stdout.isatty() else f"\n== {title}")
    print("$ kubectl trace " + " ".join(words[:-1]) + f" '{program}'\n", flush=True)
    # The tracer's last line, on its stderr, is its own account: probe hits, what was lost, CPU and memory.
    tracer = subprocess.Popen([TRACE, *words], stderr=subprocess.STDOUT)
    try:
        code = tracer.wait(timeout=60)
    except KeyboardInterrupt:
        tracer.send_signal(signal.SIGINT)
        tracer.wait()
        raise
    if code != 0:
        sys.exit(f"the tracer ended with {code}")


if __name__ == "__main__":
    sys.exit(main())
