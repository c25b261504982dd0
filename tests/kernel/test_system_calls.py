"""Wildcards over system calls: a shared program counts what the tracepoints themselves count, call by call."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tracejob_agent.bpf.loader import LoadedPlan, load
from tracejob_agent.compilation import prepare_here
from tracejob_agent.kernel.host_facts import HostFacts
from tracejob_agent.kernel.tracefs import tracepoint_names
from tracejob_agent.probes.attach import AttachedProbes
from tracejob_agent.probes.environment import Environment
from tracelang.plan import CompileOptions
from tracelang.syscalls import call_of_event, syscall_name

pytestmark = pytest.mark.usefixtures("nothing_left")

# Calls that do no harm with arguments of -1. The kernel has no tracepoint for a 32-bit call: its 20 is getpid,
# where writev is 20 else.
CALLER = """
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static const int calls[] = {
    SYS_getpid, SYS_getppid, SYS_getuid, SYS_geteuid, SYS_getgid, SYS_getegid, SYS_gettid, SYS_getpgid, SYS_getsid,
    SYS_setuid, SYS_setgid, SYS_setreuid, SYS_setregid, SYS_setpriority, SYS_getpriority, SYS_getrlimit,
    SYS_getrusage, SYS_getitimer, SYS_setitimer, SYS_getcwd, SYS_getdents64, SYS_getrandom, SYS_getcpu, SYS_getxattr,
    SYS_setxattr, SYS_getsockopt, SYS_setsockopt, SYS_getpeername, SYS_getsockname, SYS_stat, SYS_fstat, SYS_lstat,
    SYS_uname, SYS_sendfile, SYS_sendto, SYS_newfstatat, SYS_umount2, SYS_umask, SYS_writev, SYS_write, SYS_close,
};

int main(void)
{
  prctl(PR_SET_NAME, "tj_caller");
  for (unsigned i = 0; i < sizeof(calls) / sizeof(*calls); i++)
    for (unsigned turn = 0; turn <= i % 4; turn++)
      syscall(calls[i], -1L, -1L, -1L, -1L, -1L, -1L);
  long result;
  for (int turn = 0; turn < 7; turn++)
    __asm__ volatile("int $0x80" : "=a"(result) : "a"(20L), "b"(0), "c"(0), "d"(0) : "memory");
  return 0;
}
"""
PATTERNS = ("get*", "set*", "new*", "send*", "write*", "um*", "close")
FILTER = '/comm == "tj_caller"/'


def probes(way: str) -> str:
    return ", ".join(f"tracepoint:syscalls:sys_{way}_{pattern}" for pattern in PATTERNS)


# What reads the context stays at the tracepoints.
PROGRAM = f"""
{probes("enter")} {FILTER} {{ @entered[probe] = count(); }}
{probes("exit")} {FILTER} {{ @left[probe, args.ret] = count(); }}
{probes("enter")} {FILTER} {{ @plain_entered[probe] = count(); @context = (uint64)ctx; }}
{probes("exit")} {FILTER} {{ @plain_left[probe, args.ret] = count(); @context = (uint64)ctx; }}
"""


@pytest.fixture(scope="module")
def caller(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("caller")
    (folder / "caller.c").write_text(CALLER)
    subprocess.run(["gcc", "-O1", "-Wall", "-o", folder / "caller", folder / "caller.c"], check=True)
    return folder / "caller"


def counted(loaded: LoadedPlan, name: str) -> dict[bytes, int]:
    entries = loaded.by_name(name).entries()
    return {key: sum(int.from_bytes(value[:8], "little") for value in values) for key, values in entries}


def test_a_shared_program_counts_what_the_tracepoints_count(caller: Path) -> None:
    prepared = prepare_here(PROGRAM, name="program", facts=HostFacts(), options=CompileOptions())
    names = prepared.plan.probe_names
    assert [spec.shared for spec in prepared.plan.programs] == ["sys_enter", "sys_exit", "", ""]
    with load(prepared.plan, prepared.functions) as loaded, AttachedProbes() as attached:
        attached.attach(loaded, Environment())
        subprocess.run([caller], check=True)
        entered, left = counted(loaded, "entered"), counted(loaded, "left")
        plain_entered, plain_left = counted(loaded, "plain_entered"), counted(loaded, "plain_left")

    def named(found: dict[bytes, int]) -> dict[tuple[str, bytes], int]:
        return {(names[int.from_bytes(key[:8], "little")], key[8:]): count for key, count in found.items()}

    assert named(entered) == named(plain_entered)
    assert named(left) == named(plain_left)
    assert len(entered) >= 38
    by_call = {name.rpartition(":sys_enter_")[2]: count for (name, _), count in named(entered).items()}
    assert by_call["writev"] == 3  # the 39th of the list: and no 32-bit call among them
    assert {"newstat", "newfstat", "newlstat", "newuname", "sendfile64"} <= by_call.keys()


def test_every_number_is_that_of_the_name_s_own_call() -> None:
    """By the kernel's own list of events; those whose number isn't known stay at their tracepoints."""
    events = [event for category, event in tracepoint_names() if category == "syscalls"]
    numbers = {event: call_of_event(event) for event in events if event.startswith("sys_enter_")}
    known = [number for number in numbers.values() if number >= 0]
    assert len(known) == len(set(known))
    assert len(known) > 0.95 * len(numbers)
    odd = {event[10:] for event, number in numbers.items() if number >= 0 and syscall_name(number) != event[10:]}
    assert odd <= {"newstat", "newfstat", "newlstat", "newuname", "sendfile64", "umount"}
