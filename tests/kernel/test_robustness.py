"""The agent on machines that lack something, and ended at any moment: a clear record each, and nothing left behind.

Machines are made of mount namespaces, limits and capabilities, for one agent at a time.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from kernel.agents import AGENT, Pod, agent, map_values, pod, request
from kernel.leftovers import kernel_objects
from tracejob_api import records
from tracejob_api.labels import AgentExit
from tracejob_api.request import encode

CALLS = 200
WORK = f"import os\nfor _ in range({CALLS}): os.getpgid(0)"
CALLS_MAP = f"r{uuid.uuid4().hex[:8]}"
"""Ours alone, so that other agents on the machine don't matter. A program that is left keeps its maps."""
COUNT = f"tracepoint:syscalls:sys_enter_getpgid {{ @{CALLS_MAP} = count(); }}"
NO_CACHE = {"TRACEJOB_CACHE": ""}
_ONLY_BTF_BELOW_SYS_KERNEL = (
    "mkdir -p /mnt/btf; mount --bind /sys/kernel/btf /mnt/btf; mount -t tmpfs none /sys/kernel; "
    "mkdir /sys/kernel/btf; mount --bind /mnt/btf /sys/kernel/btf"
)
_CHECKOUT = Path(__file__).parents[2]


def in_place_of(places: Sequence[str], options: str, *, then: str) -> str:
    """Shell: an empty file system on each of the places, then a command for each. The checkout stays where it is."""
    mounts = "; ".join(f"mount -t tmpfs -o {options} none {place}" for place in places)
    afterwards = "; ".join(then.format(place) for place in places)
    back = f"mkdir -p {_CHECKOUT}; mount --no-canonicalize --bind /proc/self/fd/9 {_CHECKOUT}; exec 9<&-"
    return f"exec 9<{_CHECKOUT}; {mounts}; {back}; {afterwards}"


_FULL_TMPFS = "mount -t tmpfs -o size=4k none {0}; dd if=/dev/zero of={0}/x bs=4k count=1 2>/dev/null"
_READ_ONLY = "mount -o remount,ro {}"
_FULL = "dd if=/dev/zero of={}/x bs=4k count=1 2>/dev/null"


def maps_in_the_kernel() -> int:
    """How many maps of ours there are."""
    return list(kernel_objects().values()).count(f"tj_{CALLS_MAP}")


def in_mounts(setup: str) -> tuple[str, ...]:
    """A mount namespace of its own, changed by shell commands."""
    return ("unshare", "--mount", "--propagation", "private", "sh", "-ec", f'{setup}; exec "$@"', "sh")


@pytest.fixture(autouse=True)
def nothing_stays() -> Iterator[None]:
    """No BPF object, no temporary folder of ours."""
    folders = set(Path("/tmp").glob("tracejob-headers-*"))
    yield
    deadline = time.monotonic() + 10
    while maps_in_the_kernel() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not maps_in_the_kernel()
    assert not set(Path("/tmp").glob("tracejob-headers-*")) - folders


@pytest.fixture
def target() -> Iterator[Pod]:
    with pod() as made:
        yield made


@dataclass(frozen=True)
class Machine:
    """within: the command that the agent is started by; more: environment."""

    within: tuple[str, ...]
    program: str = COUNT
    more: Mapping[str, str] = field(default_factory=dict)
    failure: records.Failure | None = None
    words: str = ""


WORKS = {
    "locked memory is limited and can't be raised": Machine(
        ("setpriv", "--bounding-set", "-sys_resource", "--inh-caps", "-sys_resource", "prlimit", "--memlock=0:0")
    ),
    "few files may be open": Machine(("prlimit", "--nofile=24:24")),
    "tracefs isn't mounted, but can be": Machine(in_mounts("umount -l /sys/kernel/tracing")),
    "no folder for the cache": Machine(in_mounts(in_place_of(["/var"], "rw", then=_READ_ONLY))),
    "the cache's folder can't be written": Machine(
        in_mounts("mount -t tmpfs -o ro none /mnt"), more={"TRACEJOB_CACHE": "/mnt"}
    ),
    "the cache's disk is full": Machine(in_mounts(_FULL_TMPFS.format("/mnt")), more={"TRACEJOB_CACHE": "/mnt"}),
    "nothing can be written in /tmp": Machine(in_mounts(in_place_of(["/tmp"], "rw", then=_READ_ONLY)), more=NO_CACHE),
    "/tmp is full": Machine(in_mounts(in_place_of(["/tmp"], "size=4k", then=_FULL)), more=NO_CACHE),
    "no BTF, and none is needed": Machine(in_mounts("mount --bind /dev/null /sys/kernel/btf/vmlinux"), more=NO_CACHE),
}


@pytest.mark.parametrize("machine", WORKS.values(), ids=WORKS)
def test_the_answer_is_exact_all_the_same(machine: Machine, target: Pod) -> None:
    folder = Path(f"/run/tj-test-{os.getpid()}")  # seen by agents that have another /tmp
    folder.mkdir(exist_ok=True)
    try:
        made = request(machine.program, target.target)
        with agent(made, folder, within=machine.within, more=machine.more) as running:
            running.attached()
            target.run(WORK)
            running.process.send_signal(signal.SIGTERM)
            assert map_values(running.result(), f"@{CALLS_MAP}") == {(): CALLS}
            assert running.process.returncode == AgentExit.DELIVERED
    finally:
        for item in folder.iterdir():
            item.unlink()
        folder.rmdir()


_NO_BTF = in_mounts("mount --bind /dev/null /sys/kernel/btf/vmlinux")
REFUSES = {
    "no files are left": Machine(
        ("prlimit", "--nofile=64:64"),
        f"tracepoint:syscalls:sys_enter_* {{ @{CALLS_MAP}[probe, args.__syscall_nr] = count(); }}",
        failure=records.Failure.NODE_UNSUPPORTED,
        words="may have 64 files open: raise the hard limit",
    ),
    "tracefs isn't mounted and can't be": Machine(
        in_mounts(_ONLY_BTF_BELOW_SYS_KERNEL),
        more=NO_CACHE,
        failure=records.Failure.PROGRAM_INVALID,
        words="on the node, mount -t tracefs nodev /sys/kernel/tracing",
    ),
    "no BTF, for a struct": Machine(
        _NO_BTF,
        f"tracepoint:syscalls:sys_enter_getpgid {{ @{CALLS_MAP}[curtask.pid] = count(); }}",
        more=NO_CACHE,
        failure=records.Failure.PROGRAM_INVALID,
        words="built with CONFIG_DEBUG_INFO_BTF",
    ),
    "no BTF, for a raw tracepoint": Machine(
        _NO_BTF,
        f"rawtracepoint:sys_enter {{ @{CALLS_MAP} = count(); }}",
        more=NO_CACHE,
        failure=records.Failure.PROGRAM_INVALID,
        words="built with CONFIG_DEBUG_INFO_BTF",
    ),
    "no capabilities": Machine(
        ("setpriv", "--bounding-set=-all", "--inh-caps=-all"),
        failure=records.Failure.NODE_UNSUPPORTED,
        words="neither CAP_BPF nor CAP_SYS_ADMIN: run it as root",
    ),
    "a user namespace": Machine(
        ("unshare", "--user", "--map-root-user"),
        failure=records.Failure.NODE_UNSUPPORTED,
        words="in a user namespace",
    ),
    "no folder at all for the compiler": Machine(
        in_mounts(in_place_of(["/tmp", "/var", "/dev/shm", "/run"], "rw", then=_READ_ONLY)),
        more=NO_CACHE,
        failure=records.Failure.NODE_UNSUPPORTED,
        words="the compiler needs 20 kB in /tmp, /run or /dev/shm",
    ),
}


@pytest.mark.parametrize("machine", REFUSES.values(), ids=REFUSES)
def test_what_is_missing_is_told_with_what_to_do(machine: Machine, target: Pod) -> None:
    folder = Path(f"/root/tj-test-{os.getpid()}")
    folder.mkdir(exist_ok=True)
    try:
        made = request(machine.program, target.target, start_timeout=1.0)
        with agent(made, folder, within=machine.within, more=machine.more) as running:
            result = running.result()
            told = [item.text for item in running.records if isinstance(item, records.DiagnosticsRecord)]
            assert result.failure is machine.failure
            assert machine.words in " ".join((result.message, *told))
            assert "Traceback" not in result.message
            assert running.process.returncode in (AgentExit.FAULT, AgentExit.PROGRAM_ERROR)
    finally:
        for item in folder.iterdir():
            item.unlink()
        folder.rmdir()


# --- the compiler is killed ---


def children(pid: int) -> list[int]:
    try:
        return [int(item) for item in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def wait_for_child(pid: int, *, depth: int) -> int:
    """The first descendant `depth` generations down, as soon as it is there."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        found = [pid]
        for _ in range(depth):
            found = [child for item in found for child in children(item)]
        if found:
            return found[0]
    raise AssertionError("no such child came")


@pytest.mark.parametrize(("depth", "who"), [(1, "the compiler's front end died"), (2, "the compiler died")])
def test_a_killed_compiler_is_told(depth: int, who: str, target: Pod, tmp_path: Path) -> None:
    with agent(request(COUNT, target.target), tmp_path, more=NO_CACHE) as running:
        os.kill(wait_for_child(running.process.pid, depth=depth), signal.SIGKILL)
        result = running.result()
        assert result.failure is records.Failure.INTERNAL
        assert who in result.message
        assert "SIGKILL" in result.message
        assert running.process.returncode == AgentExit.FAULT


# --- SIGTERM at every stage ---


def test_sigterm_while_clang_works_ends_it_at_once(target: Pod, tmp_path: Path) -> None:
    with agent(request(COUNT, target.target), tmp_path, more=NO_CACHE) as running:
        compiler = wait_for_child(running.process.pid, depth=2)
        os.kill(compiler, signal.SIGSTOP)  # it would never answer
        running.process.send_signal(signal.SIGTERM)
        result = running.result()
        assert result.reason is records.EndReason.SIGNAL
        assert running.process.returncode == AgentExit.DELIVERED
    deadline = time.monotonic() + 5
    while Path(f"/proc/{compiler}").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not Path(f"/proc/{compiler}").exists()


@pytest.mark.parametrize("delay", [index * 0.03 for index in range(8)])
def test_sigterm_at_any_moment_gives_a_result(delay: float, target: Pod, tmp_path: Path) -> None:
    """From the first record on: targets, compiler, load, attach. What was counted until then is in it."""
    program = f"tracepoint:syscalls:sys_enter_get* {{ @{CALLS_MAP} = count(); }}"
    with agent(request(program, target.target), tmp_path) as running:
        running.wait_for(records.Hello)
        time.sleep(delay)
        running.process.send_signal(signal.SIGTERM)
        result = running.result()
        assert result.reason is records.EndReason.SIGNAL
        assert running.process.returncode == AgentExit.DELIVERED


def test_sigterm_while_nobody_takes_the_result(target: Pod, tmp_path: Path) -> None:
    """The pipe is full when the agent flushes: another signal changes nothing, and the result comes when it is read."""
    program = f'{COUNT} tracepoint:syscalls:sys_enter_getpgid {{ printf("%1000s\\\\n", comm); }}'
    file = tmp_path / "request"
    file.write_text(encode(request(program, target.target)))
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    with subprocess.Popen([*AGENT, str(file)], stdout=subprocess.PIPE, env=environment) as process:
        assert process.stdout is not None
        while not isinstance(records.decode_record(process.stdout.readline()), records.Attached):
            pass
        target.run(WORK)
        for _ in range(3):
            process.send_signal(signal.SIGTERM)
            time.sleep(0.3)
        assert process.poll() is None
        last = [records.decode_record(line) for line in process.stdout][-1]
        assert process.wait(20) == AgentExit.DELIVERED
    assert isinstance(last, records.Result)
    assert map_values(last, f"@{CALLS_MAP}") == {(): CALLS}


# --- the disk of the output is full ---


@pytest.fixture
def full(tmp_path: Path) -> Iterator[Path]:
    """A file system without room."""
    place = tmp_path / "full"
    place.mkdir()
    subprocess.run(["sh", "-ec", _FULL_TMPFS.format(place)], check=True)
    yield place
    subprocess.run(["umount", place], check=True)


def test_an_agent_whose_records_find_no_room_says_so(full: Path, target: Pod, tmp_path: Path) -> None:
    file = tmp_path / "request"
    file.write_text(encode(request(COUNT, target.target, duration=0.5)))
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    with (full / "out").open("wb") as out:
        done = subprocess.run(
            [*AGENT, str(file)], stdout=out, stderr=subprocess.PIPE, text=True, env=environment, check=False
        )
    assert done.returncode == AgentExit.FAULT
    assert done.stderr == "the result can't be written: No space left on device\n"


def test_a_disk_that_has_room_again_gets_every_record(full: Path, target: Pod, tmp_path: Path) -> None:
    file = tmp_path / "request"
    file.write_text(encode(request(COUNT, target.target)))
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    out = (full / "out").open("wb")
    with out, subprocess.Popen([*AGENT, str(file)], stdout=out, env=environment) as process:
        deadline = time.monotonic() + 20
        while not maps_in_the_kernel() and time.monotonic() < deadline:
            time.sleep(0.02)
        assert (full / "out").stat().st_size == 0
        (full / "x").unlink()
        while b'"attached"' not in (full / "out").read_bytes() and time.monotonic() < deadline:
            time.sleep(0.02)
        target.run(WORK)
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == AgentExit.DELIVERED
    found = [records.decode_record(line) for line in (full / "out").read_bytes().splitlines()]
    assert [item.seq for item in found] == list(range(len(found)))
    assert isinstance(found[-1], records.Result)
    assert map_values(found[-1], f"@{CALLS_MAP}") == {(): CALLS}


LOCAL = [sys.executable, "-m", "tracejob_agent", "local"]
BPFTRACE = [sys.executable, "-m", "tracejob_agent.bpftrace_cli"]
CHATTY = 'interval:ms:50 { printf("%d\\n", nsecs); } interval:s:1 { exit(); }'


@pytest.mark.parametrize(
    "command", [LOCAL, [*LOCAL, "-o", "jsonl"], [*LOCAL, "-o", "json"], BPFTRACE], ids=["text", "jsonl", "json", "cli"]
)
def test_a_local_run_whose_output_finds_no_room_says_so(command: list[str], full: Path) -> None:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    with (full / "out").open("wb") as out:
        done = subprocess.run(
            [*command, "-e", CHATTY], stdout=out, stderr=subprocess.PIPE, text=True, env=environment, check=False
        )
    assert done.returncode == 1
    assert "can't be written: No space left on device" in done.stderr
    assert "Traceback" not in done.stderr
