"""Each provider on this kernel: attached, it counts exactly; stopped, it doesn't fire; closed, nothing is left."""

from __future__ import annotations

import contextlib
import ctypes
import mmap
import os
import re
import subprocess
import time
from pathlib import Path

import pytest

from kernel.leftovers import descriptors_left
from kernel.plans import HITS, attachment, compiled, plan, program
from tracejob_agent.bpf.loader import LoadedPlan, load
from tracejob_agent.bpf.maps import sum_of_cpus
from tracejob_agent.errors import AttachError
from tracejob_agent.probes.attach import AttachedProbes, attach_types
from tracejob_agent.probes.environment import Environment
from tracejob_agent.probes.perf_event import Handle
from tracelang.plan import Attachment, Plan, ProgramType

pytestmark = pytest.mark.usefixtures("nothing_left")

BY_COOKIE = """
PROGRAM(tj_mine)(void *ctx) {
  if (bpf_get_current_pid_tgid() >> 32 == %d) count(bpf_get_attach_cookie(ctx));
  return 0;
}
PROGRAM(tj_any)(void *ctx) { count(bpf_get_attach_cookie(ctx)); return 0; }
PROGRAM(tj_raw)(void *ctx) {
  if (bpf_get_current_pid_tgid() >> 32 == %d) count(77);
  return 0;
}
"""
LIBC = "/lib/x86_64-linux-gnu/libc.so.6"


@pytest.fixture(scope="module")
def functions() -> dict[str, bytes]:
    return compiled(BY_COOKIE % (os.getpid(), os.getpid()), "tj_mine", "tj_any", "tj_raw")


def hits(loaded: LoadedPlan, key: int) -> int:
    values = loaded.maps[HITS].lookup(key.to_bytes(8, "little"))
    return sum_of_cpus(values) if values else 0


def run(plan_: Plan, functions: dict[str, bytes], *, environment: Environment) -> tuple[LoadedPlan, AttachedProbes]:
    loaded = load(plan_, functions, attach_types=attach_types(plan_, environment))
    probes = AttachedProbes()
    try:
        probes.attach(loaded, environment)
    except AttachError:
        probes.close()
        loaded.close()
        raise
    return loaded, probes


def mine(type_: ProgramType, *attachments: Attachment, function: str = "tj_mine") -> Plan:
    return plan(program(function, type_, *attachments))


def file_offset(library: str, symbol: str) -> int:
    """Of a function in a shared library whose first segment is loaded at its own file offset."""
    text = subprocess.run(["readelf", "-Ws", "--dyn-syms", library], capture_output=True, text=True, check=True).stdout
    match = re.search(rf"^\s*\d+: ([0-9a-f]+)\s+\d+ FUNC.* {symbol}(@|$)", text, re.MULTILINE)
    assert match
    return int(match[1], 16)


def test_a_tracepoint_counts_every_call_and_gives_each_place_its_cookie(functions: dict[str, bytes]) -> None:
    places = (
        attachment("tracepoint", target="syscalls", function="sys_enter_getpgid", cookie=5),
        attachment("tracepoint", target="syscalls", function="sys_exit_getpgid", cookie=6),
    )
    loaded, probes = run(mine(ProgramType.TRACEPOINT, *places), functions, environment=Environment())
    with loaded, probes:
        for _ in range(1234):
            os.getpgid(0)
        probes.stop()
        os.getpgid(0)
        assert (hits(loaded, 5), hits(loaded, 6)) == (1234, 1234)


def test_a_raw_tracepoint_counts(functions: dict[str, bytes]) -> None:
    place = attachment("rawtracepoint", function="sys_enter")
    loaded, probes = run(
        mine(ProgramType.RAW_TRACEPOINT, place, function="tj_raw"), functions, environment=Environment()
    )
    with loaded, probes:
        for _ in range(100):
            os.getpgid(0)
        probes.stop()
        assert hits(loaded, 77) >= 100


@pytest.mark.parametrize("together", [True, False], ids=["one link for all", "a perf event each"])
def test_user_functions_count_with_their_cookies(functions: dict[str, bytes], together: bool) -> None:
    environment = Environment()
    if together and not environment.has_uprobe_multi:
        pytest.skip("this kernel has no links over many user functions")
    environment.__dict__["has_uprobe_multi"] = together
    places = (
        attachment("uprobe", target=LIBC, function="getpgid", cookie=1, file_offset=file_offset(LIBC, "getpgid")),
        attachment("uprobe", target=LIBC, function="labs", cookie=2, file_offset=file_offset(LIBC, "labs")),
        attachment("uretprobe", target=LIBC, function="labs", cookie=3, file_offset=file_offset(LIBC, "labs")),
    )
    libc = ctypes.CDLL(LIBC)
    loaded, probes = run(mine(ProgramType.KPROBE, *places), functions, environment=environment)
    with loaded, probes:
        for _ in range(50):
            libc.labs(-1)
        libc.getpgid(0)
        probes.stop()
        libc.labs(-1)
        assert [hits(loaded, cookie) for cookie in (1, 2, 3)] == [1, 50, 50]


def test_a_uprobe_for_one_process_leaves_others_alone(functions: dict[str, bytes]) -> None:
    place = attachment("uprobe", target=LIBC, function="labs", cookie=2, file_offset=file_offset(LIBC, "labs"))
    script = f"import ctypes; [ctypes.CDLL('{LIBC}').labs(1) for _ in range(20)]"
    plan_ = mine(ProgramType.KPROBE, place, function="tj_any")
    loaded, probes = run(plan_, functions, environment=Environment(pids=(os.getpid(),)))
    with loaded, probes:
        subprocess.run(["/usr/bin/python3", "-S", "-c", script], check=True)
        assert hits(loaded, 2) == 0
        ctypes.CDLL(LIBC).labs(1)
        assert hits(loaded, 2) == 1


def test_interval_ticks_on_one_cpu_and_profile_on_each(functions: dict[str, bytes]) -> None:
    places = (
        attachment("interval", function="ms:20", cookie=1, period=20_000_000),
        attachment("profile", function="hz:50", cookie=2, frequency=50),
    )
    environment = Environment()
    plan_ = mine(ProgramType.PERF_EVENT, *places, function="tj_any")
    loaded, probes = run(plan_, functions, environment=environment)
    with loaded, probes:
        start = time.monotonic()
        time.sleep(0.5)
        probes.stop()
        elapsed = time.monotonic() - start  # more than was asked for, on a busy machine
        ticks = hits(loaded, 1)
        assert 10 <= ticks <= elapsed / 0.02 + 5
        assert hits(loaded, 2) >= ticks * len(environment.cpus) * 0.5
        time.sleep(0.1)
        assert hits(loaded, 1) == ticks


def test_a_software_event_counts_page_faults(functions: dict[str, bytes]) -> None:
    place = attachment("software", function="page-faults", cookie=4, event=2, period=1)
    loaded, probes = run(mine(ProgramType.PERF_EVENT, place), functions, environment=Environment())
    with loaded, probes:
        with mmap.mmap(-1, 4096 * 200) as memory:
            memory.madvise(mmap.MADV_NOHUGEPAGE)
            for page in range(200):
                memory[page * 4096] = 1
        probes.stop()
        assert hits(loaded, 4) >= 200


def test_a_probe_that_cannot_be_attached_says_which_and_why(functions: dict[str, bytes]) -> None:
    place = attachment("uprobe", target="/no/such/file", function="f", file_offset=16)
    with pytest.raises(AttachError, match=r"uprobe:/no/such/file:f can't be attached: No such file"):
        run(mine(ProgramType.KPROBE, place), functions, environment=Environment())


def test_stopping_many_tracepoints_waits_for_the_kernel_together(functions: dict[str, bytes]) -> None:
    """Sixty at once take less than twelve of them one after the other."""
    names = sorted(path.name for path in Path("/sys/kernel/tracing/events/syscalls").glob("sys_enter_*"))[:72]
    places = [attachment("tracepoint", target="syscalls", function=name, cookie=9) for name in names]
    loaded, probes = run(mine(ProgramType.TRACEPOINT, *places), functions, environment=Environment())
    with loaded, probes:
        early, probes.handles = probes.handles[:12], probes.handles[12:]
        start = time.monotonic()
        for handle in early:
            os.close(handle.link)
        one_by_one = time.monotonic() - start
        start = time.monotonic()
        probes.stop()
        together = time.monotonic() - start
        probes.handles += [Handle(link=-1, event=handle.event) for handle in early]
    assert together < one_by_one


def test_what_takes_long_to_close_is_left_to_a_process_of_its_own(functions: dict[str, bytes]) -> None:
    """That process holds the events alone, and nothing else of ours; when it has closed them, it ends."""
    places = [attachment("tracepoint", target="syscalls", function=f"sys_enter_{name}") for name in MANY]
    spec = program("tj_any", ProgramType.TRACEPOINT, *places)
    before = set(holders())
    with load(plan(spec), functions) as loaded:
        with AttachedProbes() as probes:
            probes.attach(loaded, Environment())
        assert not [item for item in descriptors_left() if "perf" in item]
    (closer,) = set(holders()) - before
    assert set(descriptors_left(closer)) <= {"anon_inode:[perf_event]"}
    deadline = time.monotonic() + 60
    while Path(f"/proc/{closer}").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not Path(f"/proc/{closer}").exists()


MANY = (
    "acct",
    "chroot",
    "fsync",
    "getpgid",
    "getsid",
    "mincore",
    "mlock",
    "munlock",
    "rmdir",
    "sync",
    "umask",
    "vhangup",
)


def holders() -> list[int]:
    """Processes of this program that hold perf events, but for this one."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            with contextlib.suppress(OSError):
                if (entry / "cmdline").read_bytes() == Path("/proc/self/cmdline").read_bytes():
                    found += [int(entry.name)] if any("perf" in item for item in descriptors_left(entry.name)) else []
    return found
