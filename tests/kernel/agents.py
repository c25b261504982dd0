"""An agent as the operator starts it: a request file in, records out; and pods as kubelet makes them, by hand."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TypeVar

from tracejob_agent.target.cgroups import CgroupTree
from tracejob_api import records
from tracejob_api.request import (
    AgentLimits,
    AgentRequest,
    ContainerTarget,
    JobRef,
    PodTarget,
    ProgramText,
    encode,
)

R = TypeVar("R", bound=records.AnyRecord)
AGENT = [sys.executable, "-m", "tracejob_agent", "--request"]
TIMEOUT = 120.0
"""Until something is taken for hung, on a machine that is busy with other things."""


@dataclasses.dataclass
class Pod:
    """A pod with one container, as cgroups; processes enter with `start`."""

    folder: Path
    target: PodTarget

    @property
    def container(self) -> Path:
        return self.folder / self.target.containers[0].id

    def start(self, script: str, *, folder: Path | None = None, stdin: int | None = None) -> subprocess.Popen[bytes]:
        """A python process in the container (or another folder of the pod); the shell enters, then becomes it."""
        enter = f'echo $$ > "{folder or self.container}/cgroup.procs" && exec "$@"'
        return subprocess.Popen(["sh", "-c", enter, "sh", sys.executable, "-S", "-c", script], stdin=stdin)

    def run(self, script: str, *, folder: Path | None = None) -> None:
        assert self.start(script, folder=folder).wait() == 0


@contextmanager
def pod(name: str = "web", *, tree: CgroupTree | None = None) -> Iterator[Pod]:
    """tree: the hierarchy that it is made in; the first of this machine's."""
    base = (tree or CgroupTree.all_of_this_machine()[0]).roots[0] / f"tj-test-{uuid.uuid4().hex[:8]}"
    uid, container = str(uuid.uuid4()), uuid.uuid4().hex * 2
    folder = base / "kubepods" / f"pod{uid}"
    (folder / container).mkdir(parents=True)
    try:
        target = PodTarget(
            uid=uid, name=name, namespace="shop", containers=(ContainerTarget(name="main", id=container),)
        )
        yield Pod(folder, target)
    finally:
        remove(base)


def remove(folder: Path) -> None:
    """A cgroup and those below it. One goes only a moment after its last process."""
    for path, _, _ in os.walk(folder, topdown=False):
        deadline = time.monotonic() + 5
        while True:
            try:
                Path(path).rmdir()
                break
            except FileNotFoundError:
                break
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.02)


def request(
    program: str,
    *pods: PodTarget,
    duration: float = 300.0,  # whoever wants it to end earlier says so
    interval: float = 5.0,
    limits: AgentLimits | None = None,
    args: tuple[str, ...] = (),
    **more: object,
) -> AgentRequest:
    made = AgentRequest(
        id="r1",
        job=JobRef(name="job", uid="u", namespace="shop"),
        node="node-1",
        program=ProgramText(program, args),
        duration=duration,
        start_timeout=5.0,
        interval=interval,
        limits=limits or AgentLimits(events_per_second=0),
        targets=pods,
        host=not pods,
    )
    import msgspec

    return msgspec.structs.replace(made, **more)


class RunningAgent:
    """Reads the agent's records as they come. within: a command that the agent is started by (unshare, prlimit...)."""

    def __init__(
        self, made: AgentRequest, folder: Path, *, within: Sequence[str] = (), more: Mapping[str, str] | None = None
    ) -> None:
        self.file = folder / "request"
        self.ask(made)
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)} | dict(more or {})
        command = [*within, *AGENT, str(self.file)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, env=environment)
        self.records: list[records.AnyRecord] = []
        assert self.process.stdout
        self._reader = threading.Thread(target=self._read, args=(self.process.stdout,), daemon=True)
        self._reader.start()

    def ask(self, made: AgentRequest) -> None:
        """Swaps the request as kubelet does: written aside, then renamed."""
        aside = self.file.with_suffix(".new")
        aside.write_text(encode(made))
        aside.rename(self.file)

    def wait_for(self, kind: type[R], accept: Callable[[R], bool] = lambda record: True) -> R:
        deadline = time.monotonic() + TIMEOUT
        while time.monotonic() < deadline:
            for record in list(self.records):
                if isinstance(record, kind) and accept(record):
                    return record
            if not self._reader.is_alive():
                break
            time.sleep(0.01)
        raise AssertionError(f"no {kind.__name__} record came: {self.records}")

    def attached(self) -> records.Attached:
        return self.wait_for(records.Attached)

    def result(self) -> records.Result:
        """The last record; checks that the sequence has no gap and that nothing follows."""
        result = self.wait_for(records.Result)
        self.process.wait(TIMEOUT)
        self._reader.join(TIMEOUT)
        assert [record.seq for record in self.records] == list(range(len(self.records)))
        assert self.records[-1] is result
        return result

    def outputs(self) -> list[records.Output]:
        return [record for record in self.records if isinstance(record, records.Output)]

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._reader.join(TIMEOUT)
        if self.process.stdout:
            self.process.stdout.close()

    def _read(self, stream: IO[bytes]) -> None:
        for line in stream:
            self.records.append(records.decode_record(line))


@contextmanager
def agent(
    made: AgentRequest, folder: Path, *, within: Sequence[str] = (), more: Mapping[str, str] | None = None
) -> Iterator[RunningAgent]:
    """more: environment variables."""
    running = RunningAgent(made, folder, within=within, more=more)
    try:
        yield running
    finally:
        running.close()


def map_values(result: records.Result, name: str) -> dict[tuple[object, ...], object]:
    """Key -> value of a map of the result."""
    for found in result.maps:
        if found.name == name:
            return {tuple(entry.key): entry.value for entry in found.entries}
    raise AssertionError(f"no map {name}: {result.maps}")
