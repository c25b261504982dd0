"""The system under test as a user meets it: kubectl and kubectl-trace on a cluster.

In: a kubeconfig. Out: what the commands said, jobs as objects to wait for, pods to trace.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[2]
SYSTEM_NAMESPACE = "tracejob-system"
WORKLOAD_IMAGE = os.environ.get("TRACEJOB_WORKLOAD_IMAGE", "tracejob/e2e-workload:dev")
Json = Any  # the API server's answers, read by the tests key by key


class CommandFailed(AssertionError):
    """A command that a test counted on."""


@dataclass(frozen=True, slots=True)
class Answer:
    code: int
    out: str
    err: str

    def ok(self) -> str:
        if self.code != 0:
            raise CommandFailed(f"exit code {self.code}\n--- stdout\n{self.out}\n--- stderr\n{self.err}")
        return self.out


@dataclass(frozen=True, slots=True)
class System:
    """Commands with their kubeconfig. `ours`: the cluster is our kind cluster, whose nodes are Docker containers."""

    kubeconfig: Path
    path: str
    ours: bool
    namespace: str = "default"

    def within(self, namespace: str) -> System:
        return System(kubeconfig=self.kubeconfig, path=self.path, ours=self.ours, namespace=namespace)

    def environment(self) -> dict[str, str]:
        return {**os.environ, "KUBECONFIG": str(self.kubeconfig), "PATH": self.path, "NO_COLOR": "1"}

    def run(self, *command: str, stdin: str = "", timeout: float = 90) -> Answer:
        done = subprocess.run(
            list(command),
            env=self.environment(),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        return Answer(code=done.returncode, out=done.stdout, err=done.stderr)

    def kubectl(self, *arguments: str, stdin: str = "", timeout: float = 90) -> Answer:
        return self.run("kubectl", "--namespace", self.namespace, *arguments, stdin=stdin, timeout=timeout)

    def trace(self, *arguments: str, stdin: str = "", timeout: float = 90) -> Answer:
        """`kubectl trace ...`, through kubectl's own plug-in mechanism."""
        return self.run("kubectl", "trace", *arguments, "--namespace", self.namespace, stdin=stdin, timeout=timeout)

    def get(self, kind: str, name: str = "", *arguments: str) -> Json:
        selection = [name] if name else []
        return json.loads(self.kubectl("get", kind, *selection, "-o", "json", *arguments).ok())

    def apply(self, *objects: Mapping[str, Json]) -> Answer:
        several = {"apiVersion": "v1", "kind": "List", "items": list(objects)}
        return self.kubectl("apply", "-f", "-", stdin=json.dumps(several))

    def workload(self, pod: str, *arguments: str, container: str = "main") -> str:
        """Run the workload's own program in a running pod: a process that the pod starts late."""
        return self.kubectl("exec", pod, "-c", container, "--", "/workload", *arguments).ok()

    def job(self, name: str, *, kind: str = "tracejob") -> Job:
        return Job(system=self, name=name, kind=kind)

    def start(self, target: str, program: str, *flags: str, name: str, attached: bool = True) -> Job:
        """Start a job in the background; return when its probes are on."""
        self.trace("run", target, "-e", program, "--detach", "--name", name, *flags).ok()
        job = self.job(name)
        if attached:
            job.wait_for("Attached")
        return job

    def follow(self, *arguments: str) -> Follow:
        """`kubectl trace ...` in the foreground, as a terminal would have it."""
        return Follow.of(self, *arguments)


@dataclass(frozen=True, slots=True)
class Job:
    system: System
    name: str
    kind: str = "tracejob"

    def read(self) -> Json:
        return self.system.get(self.kind, self.name)

    @property
    def status(self) -> Json:
        return self.read().get("status", {})

    def wait_for(self, condition: str, *, timeout: float = 45) -> Json:
        """Wait for a condition to be True. A job that failed first fails the test at once, with its own words."""
        deadline = time.monotonic() + timeout
        while True:
            status = self.status
            conditions = {each["type"]: each for each in status.get("conditions", [])}
            if conditions.get(condition, {}).get("status") == "True":
                return status
            failed = conditions.get("Failed", {}).get("status") == "True"
            if failed or time.monotonic() > deadline:
                word = "failed before it was" if failed else f"was not, within {timeout} s,"
                shown = json.dumps(status, indent=1)
                raise CommandFailed(f"job {self.name} {word} {condition}:\n{shown}{self._story()}")
            time.sleep(0.1)

    def wait_until_over(self, *, timeout: float = 60) -> Json:
        deadline = time.monotonic() + timeout
        while (status := self.status).get("phase") not in {"Succeeded", "PartiallySucceeded", "Failed"}:
            if time.monotonic() > deadline:
                raise CommandFailed(f"job {self.name} goes on:\n{json.dumps(status, indent=1)}{self._story()}")
            time.sleep(0.1)
        return status

    def stop(self) -> Json:
        """End the job early, as a user would; return its last status."""
        self.system.trace("stop", self.name).ok()
        return self.wait_until_over()

    def agents(self) -> list[Json]:
        uid = self.read()["metadata"]["uid"]
        return agent_pods(self.system, uid)

    def config_maps(self) -> list[Json]:
        refs = self.status.get("results", {}).get("refs", [])
        return [self.system.within(ref["namespace"]).get("configmap", ref["name"]) for ref in refs]

    def _story(self) -> str:
        logs = self.system.within(SYSTEM_NAMESPACE).kubectl("logs", "deploy/tracejob-operator", "--tail=30")
        pods = self.system.within(SYSTEM_NAMESPACE).kubectl("get", "pods", "-o", "wide")
        return f"\n--- operator\n{logs.out}{logs.err}\n--- {SYSTEM_NAMESPACE}\n{pods.out}"


@dataclass(slots=True)
class Follow:
    """A command that runs until it ends or is interrupted; its lines are collected as they come."""

    process: subprocess.Popen[str]
    lines: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    readers: list[threading.Thread] = field(default_factory=list)

    @classmethod
    def of(cls, system: System, *arguments: str) -> Follow:
        process = subprocess.Popen(
            ["kubectl", "trace", *arguments, "--namespace", system.namespace],
            env=system.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self = cls(process)
        for stream, sink in ((process.stdout, self.lines), (process.stderr, self.errors)):
            assert stream is not None
            thread = threading.Thread(target=sink.extend, args=(stream,), daemon=True)
            thread.start()
            self.readers.append(thread)
        return self

    def wait_for(self, text: str, *, timeout: float = 45) -> None:
        deadline = time.monotonic() + timeout
        while text not in self.out + self.err:
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise CommandFailed(f"{text!r} never came\n--- stdout\n{self.out}\n--- stderr\n{self.err}")
            time.sleep(0.05)

    def interrupt(self) -> None:
        """Ctrl-C."""
        self.process.send_signal(signal.SIGINT)

    def finish(self, *, timeout: float = 60) -> Answer:
        try:
            code = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise CommandFailed(f"still running\n--- stdout\n{self.out}\n--- stderr\n{self.err}") from None
        for reader in self.readers:
            reader.join(5)
        for stream in (self.process.stdout, self.process.stderr):
            assert stream is not None
            stream.close()
        return Answer(code=code, out=self.out, err=self.err)

    @property
    def out(self) -> str:
        return "".join(list(self.lines))

    @property
    def err(self) -> str:
        return "".join(list(self.errors))


def agent_pods(system: System, job_uid: str) -> list[Json]:
    pods = system.within(SYSTEM_NAMESPACE).get("pods", "", "-l", f"tracejob.dev/job-uid={job_uid}")
    found: list[Json] = pods["items"]
    return found


def entries(status: Json, name: str) -> dict[tuple[Json, ...], Json]:
    """A map of a status by its keys."""
    for each in status.get("results", {}).get("maps", []):
        if each["name"] == name:
            return {tuple(entry.get("key", [])): entry for entry in each.get("entries", [])}
    raise CommandFailed(f"no map {name} in\n{json.dumps(status, indent=1)}")


def scalar(status: Json, name: str, *key: Json) -> Json:
    """One value of a map; 0 when the map hasn't that key."""
    return entries(status, name).get(key, {}).get("value", 0)
