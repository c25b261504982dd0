"""The two-node cluster that end-to-end tests and demos use.

In: the node image. Out: a kubeconfig of a cluster that is ready. A cluster whose inputs are unchanged is used again.
"""

from __future__ import annotations

import fcntl
import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from kindcluster import docker_host, go_tools, node_image
from kindcluster.docker_host import docker
from kindcluster.steps import CACHE, HERE, StepFailed, digest, run, say, step

# Another name is another cluster beside the first, for somebody who works in two checkouts.
NAME: Final = os.environ.get("TRACEJOB_CLUSTER", "tracejob-e2e")
KUBECONFIG: Final = CACHE / f"{NAME}.kubeconfig"
_BUILT_FROM: Final = CACHE / f"{NAME}.inputs"
_PROGRAMS: Final = ("kubectl", "etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubeadm")
_CONFIG: Final = HERE / "kind-config.yaml"


def up() -> Path:
    """Return the kubeconfig of a ready cluster."""
    docker_host.ensure()
    image = node_image.ensure()
    inputs = digest(image, _CONFIG)
    if _usable(inputs):
        say(f"the cluster {NAME} is up and its inputs are unchanged: using it again")
        return KUBECONFIG
    down()
    with step(f"creating the kind cluster {NAME} (two nodes)"):
        _kind("create", "cluster", "--image", image, "--config", _CONFIG, "--wait", "120s", "--kubeconfig", KUBECONFIG)
    with step("waiting for both nodes"):
        _route_between_nodes()
        _allow_pods_on_control_plane()
        kubectl("wait", "--for=condition=Ready", "nodes", "--all", "--timeout=90s")
    _BUILT_FROM.write_text(inputs)
    return KUBECONFIG


def down() -> None:
    docker_host.ensure()
    _BUILT_FROM.unlink(missing_ok=True)
    if NAME in _kind("get", "clusters").split():
        with step(f"deleting the kind cluster {NAME}"):
            _kind("delete", "cluster", "--kubeconfig", KUBECONFIG)


def load(images: Sequence[str]) -> None:
    """Put images of the Docker daemon onto every node; those that are there already cost nothing."""
    with (CACHE / "load.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        missing = [image for image in images if not _on_all_nodes(image)]
        if not missing:
            return
        with step(f"loading {', '.join(missing)} onto the nodes"), tempfile.TemporaryDirectory(dir=CACHE) as folder:
            archive = Path(folder) / "images.tar"
            docker("save", "-o", archive, *missing)
            _kind("load", "image-archive", archive)


def kubectl(*arguments: str) -> str:
    return run([programs() / "kubectl", "--kubeconfig", KUBECONFIG, *arguments])


def programs() -> Path:
    """A folder with every Kubernetes program under its own name, kubectl among them."""
    folder = CACHE / "bin"
    folder.mkdir(parents=True, exist_ok=True)
    binary = go_tools.kubernetes()
    for name in _PROGRAMS:
        link = folder / name
        if not link.is_symlink() or link.readlink() != binary:
            fresh = folder / f".{name}.{os.getpid()}"
            fresh.symlink_to(binary)
            fresh.rename(link)
    return folder


def nodes() -> list[str]:
    return _kind("get", "nodes").split()


def _kind(*arguments: str | Path) -> str:
    path = {"PATH": docker_host.client_path()}
    command = [go_tools.kind(), *arguments]
    if arguments[:2] != ("get", "clusters"):
        command += ["--name", NAME]
    return run(command, env=path)


def _usable(inputs: str) -> bool:
    if not _BUILT_FROM.exists() or _BUILT_FROM.read_text() != inputs:
        return False
    try:
        ready = "jsonpath={.items[*].status.conditions[-1:].status}"
        answer = kubectl("get", "nodes", "--request-timeout=5s", "-o", ready)
    except StepFailed:
        return False
    return answer.split() == ["True", "True"]


def _route_between_nodes() -> None:
    """Each node reaches the other's pods: the ptp plug-in knows its own only."""
    template = "{range .items[*]}{.metadata.name} {.spec.podCIDR} {.status.addresses[0].address}{'\\n'}{end}"
    deadline = time.monotonic() + 60
    while True:
        rows = [line.split() for line in kubectl("get", "nodes", "-o", f"jsonpath={template}").splitlines()]
        if len(rows) == len(nodes()) and all(len(row) == 3 for row in rows):
            break
        if time.monotonic() > deadline:
            raise StepFailed(f"the nodes got no address range for pods: {rows}")
        time.sleep(0.5)
    for here, _, _ in rows:
        for there, cidr, address in rows:
            if here != there:
                docker("exec", here, "ip", "route", "replace", cidr, "via", address)


def _allow_pods_on_control_plane() -> None:
    role = "node-role.kubernetes.io/control-plane"
    kubectl("taint", "nodes", "-l", role, f"{role}:NoSchedule-")


def _on_all_nodes(image: str) -> bool:
    wanted = docker("images", "-q", "--no-trunc", image).strip()
    if not wanted:
        raise StepFailed(f"no image {image} in the Docker daemon")
    return all(_same_image(node, name=f"docker.io/{image}", config=wanted) for node in nodes())


def _same_image(node: str, *, name: str, config: str) -> bool:
    """Whether the name on that node means the image with that configuration; the node lists it under both."""
    listing = docker("exec", node, "ctr", "--namespace", "k8s.io", "images", "list", check=False)
    digests = {row[0]: row[2] for row in (line.split() for line in listing.splitlines()) if len(row) > 2}
    return name in digests and digests[name] == digests.get(config)


def environment() -> dict[str, str]:
    """What a shell needs to use the cluster."""
    return {"KUBECONFIG": str(KUBECONFIG), "PATH": f"{programs()}:{os.environ['PATH']}"}
