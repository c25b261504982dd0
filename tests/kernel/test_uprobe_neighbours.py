"""Uprobes and the neighbours that map the same file: exact for the target whatever starts in it, told as a cost else.

A pod's probes are on the file, as processes may appear in it from anywhere; those of one process are on that process.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from kernel.agents import Pod, agent, map_values, pod, request
from tracejob_agent.probes.trap_cost import user_function_nanoseconds

HITS = 100
WORKER = """
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>
__attribute__((noinline)) int work_once(int number) { __asm__ volatile(""); return number + 1; }
static void work(void) { for (int i = 0; i < 100; i++) work_once(i); }
int main(int count, char **words) {
  char what;
  printf("%p\\n", (void *)work_once);
  fflush(stdout);
  while (read(0, &what, 1) == 1) {
    if (what == 'w') work();
    if (what == 'f' && !fork()) { work(); _exit(0); }
    if (what == 'f') wait(0);
    if (what == 'e') execv(words[0], words);
    write(1, "\\n", 1);
  }
  return 0;
}
"""


@pytest.fixture(scope="module")
def binary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("worker")
    (folder / "worker.c").write_text(WORKER)
    subprocess.run(["gcc", "-O1", "-o", folder / "worker", folder / "worker.c"], check=True)
    return folder / "worker"


@dataclass
class Worker:
    process: subprocess.Popen[bytes]
    address: int

    @staticmethod
    def start(binary: Path, folder: Path) -> Worker:
        """In a cgroup."""
        enter = f'echo $$ > "{folder}/cgroup.procs" && exec "$@"'
        command = ["sh", "-c", enter, "sh", str(binary)]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert process.stdout
        return Worker(process, int(process.stdout.readline(), 16))

    def do(self, letters: str) -> None:
        """One letter after the other; each is answered by a line when it is done."""
        for letter in letters:
            assert self.process.stdin
            assert self.process.stdout
            self.process.stdin.write(letter.encode())
            self.process.stdin.flush()
            line = self.process.stdout.readline()
            if letter == "e":
                self.address = int(line, 16)

    @property
    def is_stopped_by_a_probe(self) -> bool:
        """Whether the function's first byte is a breakpoint in this process's memory."""
        with Path(f"/proc/{self.process.pid}/mem").open("rb") as memory:
            memory.seek(self.address)
            return memory.read(1) == b"\xcc"

    def end(self) -> None:
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def pods() -> Iterator[tuple[Pod, Pod]]:
    with pod() as target, pod("neighbour") as neighbour:
        yield target, neighbour


def test_a_pods_hits_are_exact_and_its_neighbours_are_a_cost(
    binary: Path, pods: tuple[Pod, Pod], tmp_path: Path
) -> None:
    """Processes that start, fork and execute later, and a container that comes back, as well as those before."""
    target = pods[0]
    workers = [Worker.start(binary, item.container) for item in pods]
    mine, other = workers
    program = f"uprobe:{binary}:work_once {{ @calls = count(); @last = max(arg0); }}"
    try:
        with agent(request(program, target.target), tmp_path) as running:
            running.attached()
            mine.do("wfew")
            other.do("ww")
            workers.append(Worker.start(binary, target.container))
            workers[-1].do("w")
            again = target.folder / ("ab" * 32)  # the container was made anew, under another id
            again.mkdir()
            workers.append(Worker.start(binary, again))
            workers[-1].do("wf")
            running.process.send_signal(signal.SIGTERM)
            result = running.result()
        assert map_values(result, "@calls") == {(): 6 * HITS}
        assert map_values(result, "@last") == {(): HITS - 1}
        assert result.cost.neighbour_hits == 2 * HITS
        assert result.cost.neighbour_seconds > 0
    finally:
        for worker in workers:
            worker.end()


def test_without_neighbours_there_is_no_such_cost(binary: Path, pods: tuple[Pod, Pod], tmp_path: Path) -> None:
    worker = Worker.start(binary, pods[0].container)
    try:
        program = f"uprobe:{binary}:work_once {{ @calls = count(); }}"
        with agent(request(program, pods[0].target), tmp_path) as running:
            running.attached()
            worker.do("w")
            running.process.send_signal(signal.SIGTERM)
            result = running.result()
        assert map_values(result, "@calls") == {(): HITS}
        assert (result.cost.neighbour_hits, result.cost.neighbour_seconds) == (0, 0)
    finally:
        worker.end()


@pytest.mark.parametrize(
    "tracer",
    [
        [sys.executable, "-m", "tracejob_agent", "local", "--pid"],
        [sys.executable, "-m", "tracejob_agent.bpftrace_cli", "-p"],
    ],
    ids=["local", "bpftrace"],
)
def test_a_probe_on_one_process_leaves_the_others_alone(binary: Path, pods: tuple[Pod, Pod], tracer: list[str]) -> None:
    """The same process may execute anew; its children aren't it."""
    mine, other = (Worker.start(binary, item.container) for item in pods)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    program = f"uprobe:{binary}:work_once {{ @calls = count(); }}"
    command = [*tracer, str(mine.process.pid), "-e", program]
    running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
    try:
        deadline = time.monotonic() + 20
        while not mine.is_stopped_by_a_probe and time.monotonic() < deadline:
            time.sleep(0.02)
        assert mine.is_stopped_by_a_probe
        assert not other.is_stopped_by_a_probe
        mine.do("wfew")
        other.do("w")
        assert mine.is_stopped_by_a_probe
        assert not other.is_stopped_by_a_probe
        running.send_signal(signal.SIGINT)
        out, err = running.communicate(timeout=30)
        assert f"@calls: {2 * HITS}" in out, err
        assert "other processes" not in err
    finally:
        running.kill()
        running.wait()
        mine.end()
        other.end()


def test_what_a_hit_takes_is_measured_and_leaves_nothing(nothing_left: None) -> None:
    assert 10 < user_function_nanoseconds() < 1e6
