"""How long a user waits: from creating a TraceJob to its probes being on, stage by stage; the median of ten.

In: a kubeconfig whose cluster has the chart installed (`make cluster-up`, `kubectl trace install`). Out: a table.
A pod to trace is made in a namespace of its own, which is deleted at the end. All times are taken here, by watching
the objects, but for the agent's own stages, which its `attached` record tells.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from kubernetes import client, config, watch

GROUP, VERSION, PLURAL = "tracejob.dev", "v1alpha1", "tracejobs"
SYSTEM_NAMESPACE = "tracejob-system"
PROGRAM = "tracepoint:syscalls:sys_enter_openat { @[comm] = count(); }"
Json = Any  # the API server's objects


@dataclass(slots=True)
class Moments:
    """Seconds since the create call returned, by what was seen."""

    start: float = 0.0
    seen: dict[str, float] = field(default_factory=dict)
    agent: dict[str, float] = field(default_factory=dict)

    def mark(self, name: str) -> None:
        self.seen.setdefault(name, time.monotonic() - self.start)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kubeconfig")
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--image", default="tracejob/e2e-workload:dev", help="of the pod to trace")
    arguments = parser.parse_args()
    config.load_kube_config(arguments.kubeconfig)
    with _namespace(arguments.image) as namespace:
        runs = [_measure(namespace, number) for number in range(arguments.runs)]
    _report(runs)
    return 0


def _measure(namespace: str, number: int) -> Moments:
    jobs, name = client.CustomObjectsApi(), f"bench-{number}"
    moments, over = Moments(), threading.Event()
    watcher = threading.Thread(target=_watch_agents, args=(moments, over), daemon=True)
    watcher.start()
    time.sleep(0.3)
    body = {
        "apiVersion": f"{GROUP}/{VERSION}",
        "kind": "TraceJob",
        "metadata": {"name": name},
        "spec": {"target": {"kind": "Pod", "name": "web"}, "program": {"inline": PROGRAM}, "duration": "60s"},
    }
    moments.start = time.monotonic()
    jobs.create_namespaced_custom_object(GROUP, VERSION, namespace, PLURAL, body)
    for job in _changes(jobs.list_namespaced_custom_object, GROUP, VERSION, namespace, PLURAL, name=name):
        conditions = {each["type"]: each["status"] for each in job.get("status", {}).get("conditions", [])}
        if conditions.get("Failed") == "True":
            raise SystemExit(f"the job failed: {json.dumps(job['status'], indent=1)}")
        if conditions.get("Attached") == "True":
            moments.mark("the job says Attached")
            break
    over.set()
    _read_agent(moments, job["metadata"]["uid"])
    jobs.delete_namespaced_custom_object(GROUP, VERSION, namespace, PLURAL, name)
    time.sleep(1)
    return moments


def _watch_agents(moments: Moments, over: threading.Event) -> None:
    selector = "app.kubernetes.io/component=agent"
    stream = watch.Watch()
    for event in stream.stream(
        client.CoreV1Api().list_namespaced_pod, SYSTEM_NAMESPACE, label_selector=selector, timeout_seconds=60
    ):
        if over.is_set():
            return
        pod = event["object"]
        if moments.start == 0 or pod.metadata.deletion_timestamp is not None:
            continue
        if event["type"] == "ADDED":
            moments.mark("agent pod created")
        if pod.spec.node_name:
            moments.mark("agent pod scheduled")
        if pod.status.phase == "Running":
            moments.mark("kubelet reports it running")


def _read_agent(moments: Moments, uid: str) -> None:
    core = client.CoreV1Api()
    [pod] = core.list_namespaced_pod(SYSTEM_NAMESPACE, label_selector=f"tracejob.dev/job-uid={uid}").items
    log = core.read_namespaced_pod_log(pod.metadata.name, SYSTEM_NAMESPACE, container="agent")
    for line in log.splitlines():
        record = json.loads(line)
        if record["type"] == "attached":
            moments.agent = {name: ns / 1e9 for name, ns in record.get("stages", {}).items()}


def _changes(call: Any, *arguments: str, name: str) -> Iterator[Json]:
    for event in watch.Watch().stream(call, *arguments, field_selector=f"metadata.name={name}", timeout_seconds=60):
        yield event["object"]
    raise SystemExit("not attached within 60 s")


class _namespace:
    """A namespace with a pod `web` that runs."""

    def __init__(self, image: str) -> None:
        self.name, self.image = f"bench-{uuid.uuid4().hex[:5]}", image

    def __enter__(self) -> str:
        core = client.CoreV1Api()
        core.create_namespace({"metadata": {"name": self.name}})
        container = {"name": "main", "image": self.image, "imagePullPolicy": "IfNotPresent", "args": ["idle"]}
        spec = {"containers": [container], "terminationGracePeriodSeconds": 1}
        core.create_namespaced_pod(self.name, {"metadata": {"name": "web"}, "spec": spec})
        deadline = time.monotonic() + 60
        while core.read_namespaced_pod("web", self.name).status.phase != "Running":
            if time.monotonic() > deadline:
                raise SystemExit("the pod to trace doesn't start")
            time.sleep(0.2)
        return self.name

    def __exit__(self, *_: object) -> None:
        client.CoreV1Api().delete_namespace(self.name)


def _report(runs: list[Moments]) -> None:
    print(f"create -> attached, {len(runs)} runs, seconds: median (lowest - highest)")
    for title, rows in (
        ("since the create call", [run.seen for run in runs]),
        ("since the agent's start, by the agent itself", [run.agent for run in runs]),
    ):
        print(f"\n{title}")
        names = dict.fromkeys(name for row in rows for name in row)
        medians = {name: statistics.median(row[name] for row in rows if name in row) for name in names}
        for name in sorted(names, key=medians.__getitem__):
            values = [row[name] for row in rows if name in row]
            print(f"  {name:32} {medians[name]:6.3f}  ({min(values):.3f} - {max(values):.3f})")


if __name__ == "__main__":
    sys.exit(main())
