"""The agent as the operator uses it: exact answers for its pods only, a result in any case, nothing left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path

import msgspec
import pytest

from kernel.agents import agent, map_values, pod, request
from kernel.leftovers import kernel_objects
from tracejob_agent.target.processes import inner_pid
from tracejob_api import records
from tracejob_api.labels import AgentExit
from tracejob_api.request import AgentLimits, ProcessFilter

CALLS = 400
WORK = f"import os\nfor _ in range({CALLS}): os.getpgid(0)"
COUNT = "tracepoint:syscalls:sys_enter_getpgid { @calls = count(); @by[comm] = count(); }"
COMM = Path(sys.executable).name


def test_every_call_of_the_pod_counts_and_none_of_its_neighbour(tmp_path: Path) -> None:
    with pod() as target, pod("neighbour") as neighbour, agent(request(COUNT, target.target), tmp_path) as running:
        attached = running.attached()
        assert [(item.probe, item.count) for item in attached.probes] == [("tracepoint:syscalls:sys_enter_getpgid", 1)]
        target.run(WORK)
        neighbour.run(WORK)
        nested = target.container / "nested"
        nested.mkdir()
        target.run(WORK, folder=nested)
        target.run(
            f"import os\nif os.fork() == 0:\n  {WORK.splitlines()[1]}\nelse: os.wait()".replace("import os\nfor", "for")
        )
        running.process.send_signal(signal.SIGTERM)
        result = running.result()
        assert map_values(result, "@calls") == {(): 3 * CALLS}
        assert map_values(result, "@by") == {(COMM,): 3 * CALLS}
        assert result.reason is records.EndReason.SIGNAL
        assert result.losses.total() == 0
        assert result.cost.hits >= 3 * CALLS
        assert running.process.returncode == AgentExit.DELIVERED


def test_stop_and_new_targets_come_by_the_request(tmp_path: Path) -> None:
    with pod() as first, pod("second") as second:
        made = request(COUNT, first.target)
        with agent(made, tmp_path) as running:
            running.attached()
            second.run(WORK)
            running.ask(msgspec.structs.replace(made, targets=(first.target, second.target)))
            running.wait_for(records.TargetsRecord, lambda record: len(record.targets) == 2)
            second.run(WORK)
            running.ask(msgspec.structs.replace(made, targets=(first.target, second.target), stop=True))
            result = running.result()
            assert map_values(result, "@calls") == {(): CALLS}
            assert result.reason is records.EndReason.STOPPED


def test_the_duration_ends_it_and_intervals_give_absolute_snapshots(tmp_path: Path) -> None:
    with pod() as target, agent(request(COUNT, target.target, duration=3, interval=0.5), tmp_path) as running:
        worker = target.start(f"import sys\nsys.stdin.read()\n{WORK}", stdin=subprocess.PIPE)
        running.attached()
        worker.communicate()  # it only has to make its calls: to start takes long on a busy machine
        result = running.result()
        assert result.reason is records.EndReason.DURATION
        snapshots = [record for record in running.records if isinstance(record, records.Maps)]
        assert len(snapshots) >= 2
        last = {item.name: item for item in snapshots[-1].maps}
        assert last["@calls"].entries[0].value == CALLS


def test_output_is_typed_and_in_order(tmp_path: Path) -> None:
    program = """
    begin { printf("begin %d\\n", 5); }
    tracepoint:syscalls:sys_enter_getpgid { @n++; printf("%s %d\\n", comm, args.pid); }
    end { printf("end\\n"); print(@n); }
    """
    with pod() as target, agent(request(program, target.target), tmp_path) as running:
        running.attached()
        target.run("import os; os.getpgid(0); os.getpgid(0)")
        running.process.send_signal(signal.SIGTERM)
        running.result()
        texts = [output.text for output in running.outputs()]
        assert texts == ["begin 5\n", f"{COMM} 0\n", f"{COMM} 0\n", "end\n", "@n: 2\n\n"] or texts[:4] == [
            "begin 5\n",
            f"{COMM} 0\n",
            f"{COMM} 0\n",
            "end\n",
        ]
        assert running.outputs()[1].values == (COMM, 0)
        assert running.outputs()[1].pod == "web"


def test_a_histogram_s_buckets_add_up(tmp_path: Path) -> None:
    program = "tracepoint:syscalls:sys_enter_getpgid { @h = hist(args.pid); @l = lhist(args.pid, 0, 100, 10); }"
    script = "import os, contextlib\nfor n in range(1, 101):\n  with contextlib.suppress(OSError): os.getpgid(n)"
    with pod() as target, agent(request(program, target.target), tmp_path) as running:
        running.attached()
        target.run(script)
        running.process.send_signal(signal.SIGTERM)
        maps = {item.name: item for item in running.result().maps}
        assert sum(count for _, count in maps["@h"].entries[0].buckets) == 100
        assert dict(maps["@l"].entries[0].buckets) == {1: 9, **dict.fromkeys(range(2, 11), 10), 11: 1}


BAD_PROGRAMS = {
    "syntax error": ("tracepoint:syscalls:sys_enter_getpgid { @ = count( }", records.Failure.PROGRAM_INVALID),
    "type error": ('begin { $a = 1; $a = "x"; }', records.Failure.PROGRAM_INVALID),
    "unknown probe": ("tracepoint:syscalls:sys_enter_getpgidd { @ = count(); }", records.Failure.PROGRAM_INVALID),
    "probe type that the kernel lacks": ("kprobe:vfs_read { @ = count(); }", records.Failure.PROGRAM_INVALID),
}


@pytest.mark.parametrize(("program", "failure"), BAD_PROGRAMS.values(), ids=BAD_PROGRAMS)
def test_a_bad_program_is_told_with_its_place(program: str, failure: records.Failure, tmp_path: Path) -> None:
    with pod() as target, agent(request(program, target.target), tmp_path) as running:
        result = running.result()
        assert result.failure is failure
        diagnostics = running.wait_for(records.DiagnosticsRecord)
        assert diagnostics.items[0].line == 1
        assert diagnostics.items[0].column >= 1
        assert "ERROR" in diagnostics.text
        assert running.process.returncode == AgentExit.PROGRAM_ERROR


def test_a_target_that_is_not_here_is_told(tmp_path: Path) -> None:
    with pod() as target:
        gone = target.target
    made = request(COUNT, gone, start_timeout=0.5)
    with agent(made, tmp_path) as running:
        result = running.result()
        assert result.failure is records.Failure.TARGET_GONE
        assert "pod web" in result.message
        assert running.process.returncode == AgentExit.TARGET_GONE


def test_a_signal_while_waiting_for_targets_ends_it_with_a_result(tmp_path: Path) -> None:
    with pod() as target:
        gone = target.target
    with agent(request(COUNT, gone), tmp_path) as running:
        running.wait_for(records.Hello)
        time.sleep(0.3)
        running.process.send_signal(signal.SIGTERM)
        result = running.result()
        assert result.reason is records.EndReason.SIGNAL
        assert running.process.returncode == AgentExit.DELIVERED


def test_an_unreadable_request_is_told(tmp_path: Path) -> None:
    with pod() as target, agent(request(COUNT, target.target), tmp_path) as running:
        running.attached()
        running.process.kill()
    running_file = tmp_path / "request"
    running_file.write_text("!!")
    from kernel.agents import AGENT

    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    done = subprocess.run([*AGENT, str(running_file)], capture_output=True, env=environment, check=False)
    result = records.decode_record(done.stdout)
    assert isinstance(result, records.Result)
    assert result.failure is records.Failure.REQUEST_INVALID


def test_the_targets_end_is_the_agents_end(tmp_path: Path) -> None:
    with pod() as target:
        running_in_pod = agent(request(COUNT, target.target), tmp_path)
        with running_in_pod as running:
            running.attached()
            target.run(WORK)
            target.container.rmdir()
            target.folder.rmdir()
            result = running.result()
            assert result.reason is records.EndReason.TARGETS_GONE
            assert map_values(result, "@calls") == {(): CALLS}


def test_kubernetes_names_are_those_of_the_event_s_cgroup(tmp_path: Path) -> None:
    program = "tracepoint:syscalls:sys_enter_getpgid { @[namespace, pod, container, node] = count(); }"
    with (
        pod() as first,
        pod("api") as second,
        agent(request(program, first.target, second.target), tmp_path) as running,
    ):
        running.attached()
        first.run(WORK)
        second.run(WORK)
        running.process.send_signal(signal.SIGTERM)
        assert map_values(running.result(), "@") == {
            ("shop", "web", "main", "node-1"): CALLS,
            ("shop", "api", "main", "node-1"): CALLS,
        }


def test_output_over_its_limit_is_counted(tmp_path: Path) -> None:
    program = 'tracepoint:syscalls:sys_enter_getpgid { printf("call\\n"); @ = count(); }'
    limits = AgentLimits(output_bytes=2000, events_per_second=0)
    with pod() as target, agent(request(program, target.target, limits=limits), tmp_path) as running:
        running.attached()
        target.run(WORK)
        running.process.send_signal(signal.SIGTERM)
        result = running.result()
        assert result.losses.output_dropped > 0
        assert result.events + result.losses.output_dropped == CALLS == map_values(result, "@")[()]


def test_events_over_the_rate_are_counted(tmp_path: Path) -> None:
    program = 'tracepoint:syscalls:sys_enter_getpgid { printf("call\\n"); @ = count(); }'
    limits = AgentLimits(events_per_second=50)
    with pod() as target, agent(request(program, target.target, limits=limits), tmp_path) as running:
        running.attached()
        target.run(WORK)
        running.process.send_signal(signal.SIGTERM)
        result = running.result()
        assert result.losses.rate_limited > 0
        assert result.events + result.losses.rate_limited == CALLS


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_nothing_is_left_in_the_kernel_however_the_agent_ends(how: signal.Signals, tmp_path: Path) -> None:
    name = f"r{uuid.uuid4().hex[:8]}"  # other agents on the machine have maps as well
    program = f"tracepoint:syscalls:sys_enter_getpgid {{ @{name} = count(); }}"
    with pod() as target, agent(request(program, target.target), tmp_path) as running:
        running.attached()
        assert f"tj_{name}" in kernel_objects().values()
        running.process.send_signal(how)
        running.process.wait(60)
    deadline = time.monotonic() + 30
    while f"tj_{name}" in kernel_objects().values() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert f"tj_{name}" not in kernel_objects().values()  # a program that is left keeps its maps


WORKER = """
#include <unistd.h>
__attribute__((noinline)) int work_once(int number) { __asm__ volatile(""); return number + 1; }
int main(void) {
  char byte;
  while (read(0, &byte, 1) == 1)
    for (int i = 0; i < 250; i++)
      work_once(i);
  return 0;
}
"""


def test_a_uprobe_reaches_a_binary_that_exists_in_the_container_only(tmp_path: Path) -> None:
    """The binary lies on a tmpfs of the pod's own mount namespace; the same path doesn't exist out here."""
    (tmp_path / "worker.c").write_text(WORKER)
    subprocess.run(["cc", "-O1", "-o", tmp_path / "worker", tmp_path / "worker.c"], check=True)
    setup = f"mount -t tmpfs none /mnt && cp {tmp_path}/worker /mnt/worker && exec /mnt/worker"
    program = "uprobe:/mnt/worker:work_once { @calls = count(); @last = arg0; }"
    assert not Path("/mnt/worker").exists()
    with pod() as target:
        enter = f'echo $$ > "{target.container}/cgroup.procs" && exec unshare --mount sh -c "$1"'
        worker = subprocess.Popen(["sh", "-c", enter, "sh", setup], stdin=subprocess.PIPE)
        assert worker.stdin
        try:
            deadline = time.monotonic() + 10
            while Path(f"/proc/{worker.pid}/comm").read_text() != "worker\n" and time.monotonic() < deadline:
                time.sleep(0.01)
            with agent(request(program, target.target), tmp_path) as running:
                running.attached()
                worker.stdin.write(b"xx")
                worker.stdin.close()
                assert worker.wait(10) == 0
                running.process.send_signal(signal.SIGTERM)
                result = running.result()
            assert map_values(result, "@calls") == {(): 500}
            assert map_values(result, "@last") == {(): 249}
        finally:
            worker.kill()
            worker.wait()


def test_two_agents_at_once_each_count_their_own(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    with (
        pod() as first,
        pod("second") as second,
        agent(request(COUNT, first.target), tmp_path / "a") as one,
        agent(request(COUNT, first.target, second.target), tmp_path / "b") as both,
    ):
        one.attached()
        both.attached()
        first.run(WORK)
        second.run(WORK)
        for running in (one, both):
            running.process.send_signal(signal.SIGTERM)
        assert map_values(one.result(), "@calls") == {(): CALLS}
        assert map_values(both.result(), "@calls") == {(): 2 * CALLS}


def test_only_the_processes_that_match_count(tmp_path: Path) -> None:
    script = "import os, sys\nsys.stdin.read()\n" + WORK
    with pod() as target:
        chosen, other = target.start(script, stdin=subprocess.PIPE), target.start(script, stdin=subprocess.PIPE)
        made = request(COUNT, target.target, process=ProcessFilter(pid=inner_pid(chosen.pid)))
        with agent(made, tmp_path) as running:
            running.attached()
            for process in (chosen, other):
                assert process.stdin
                process.stdin.close()
                assert process.wait(30) == 0
            running.process.send_signal(signal.SIGTERM)
            assert map_values(running.result(), "@calls") == {(): CALLS}


def test_maps_over_the_memory_limit_are_refused_before_they_are_made(tmp_path: Path) -> None:
    limits = AgentLimits(map_entries=1_000_000, kernel_memory=1 << 20)
    program = "tracepoint:syscalls:sys_enter_getpgid { @[tid, nsecs] = count(); }"
    with pod() as target, agent(request(program, target.target, limits=limits), tmp_path) as running:
        result = running.result()
        assert result.failure is records.Failure.LIMIT
        assert "more than limits.kernelMemory (1 MiB) allows" in result.message
        assert "@ for 1000000 keys 9" in result.message  # MiB, of some 110 in all


def test_a_map_that_is_full_counts_what_it_could_not_hold(tmp_path: Path) -> None:
    program = "tracepoint:syscalls:sys_enter_getpgid { @[args.pid] = count(); }"
    script = "import os, contextlib\nfor n in range(100):\n  with contextlib.suppress(OSError): os.getpgid(n)"
    limits = AgentLimits(map_entries=16, events_per_second=0)
    with pod() as target, agent(request(program, target.target, limits=limits), tmp_path) as running:
        running.attached()
        target.run(script)
        running.process.send_signal(signal.SIGTERM)
        result = running.result()
        assert sum(map_values(result, "@").values()) + result.losses.map_full == 100  # type: ignore[arg-type]  # counts are integers
        assert result.losses.map_full > 0


@pytest.mark.parametrize("program", ['{ printf("%d %s %s", pid, comm, probe); }', "{ @[nsecs] = count(); }"])
def test_over_its_budget_of_cpu_the_agent_detaches_and_says_so(program: str, tmp_path: Path) -> None:
    """Whether the agent itself takes the time or its programs do."""
    limits = AgentLimits(cpu_percent=2, events_per_second=0)
    worker = "import os\nwhile True: os.getpgid(0)"
    with pod() as target, target.start(worker) as busy:
        try:
            made = request(f"tracepoint:syscalls:sys_enter_getpgid {program}", target.target, limits=limits)
            with agent(made, tmp_path) as running:
                running.attached()
                result = running.result()
                assert (result.reason, result.failure) == (records.EndReason.FAILED, records.Failure.LIMIT)
                assert "more than limits.cpuPercent (2) allows" in result.message
                assert result.cost.hits > 0
                assert result.cost.probe_cpu_seconds > 0
        finally:
            busy.kill()
