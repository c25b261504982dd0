"""A real API server for tests that need no node: etcd and kube-apiserver as plain processes, ready in a few seconds.

In: the multicall Kubernetes binary that `make cluster-up` builds into the cache (or $TRACEJOB_KUBERNETES_BINARY).
Out: a `ControlPlane` with an address and bearer tokens: `admin`, and any user through `token_for`.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import ssl
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

Json = dict[str, object]

ADMIN_TOKEN = "admin-token"
USERS = ("alice", "bob", "viewer", "operator")


@dataclass(frozen=True, slots=True)
class Answer:
    """What the API server said."""

    code: int
    body: Json

    @property
    def message(self) -> str:
        return str(self.body.get("message", ""))


@dataclass(frozen=True, slots=True)
class ControlPlane:
    """A running API server. Tokens: "<user>-token" for `admin` (all rights) and each of USERS (none)."""

    url: str
    ca_file: Path
    directory: Path

    def request(self, method: str, path: str, body: object = None, *, user: str = "admin", content: str = "") -> Answer:
        """One request as `user`."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data=data, method=method)
        request.add_header("Authorization", f"Bearer {user}-token")
        request.add_header("Content-Type", content or "application/json")
        try:
            with urllib.request.urlopen(request, context=self._context(), timeout=20) as response:
                return Answer(response.status, _json(response.read()))
        except urllib.error.HTTPError as error:
            return Answer(error.code, _json(error.read()))

    def apply(self, manifest: Mapping[str, object], *, user: str = "admin") -> Answer:
        """Server-side apply of any object that the tests use."""
        metadata = manifest["metadata"]
        assert isinstance(metadata, dict)
        path = f"{self._collection(manifest)}/{metadata['name']}?fieldManager=tests&force=true"
        return self.request("PATCH", path, manifest, user=user, content="application/apply-patch+yaml")

    def _collection(self, manifest: Mapping[str, object]) -> str:
        version, kind = str(manifest["apiVersion"]), manifest["kind"]
        root = f"/api/{version}" if "/" not in version else f"/apis/{version}"
        found = self.request("GET", root)
        resources = found.body["resources"]
        assert isinstance(resources, list)
        resource = next(item for item in resources if item["kind"] == kind and "/" not in item["name"])
        metadata = manifest["metadata"]
        assert isinstance(metadata, dict)
        inside = f"/namespaces/{metadata['namespace']}" if resource["namespaced"] else ""
        return f"{root}{inside}/{resource['name']}"

    def kubeconfig(self, *, user: str = "admin", namespace: str = "default") -> Path:
        """A kubeconfig file for `user`."""
        path = self.directory / f"kubeconfig-{user}-{namespace}"
        content = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "test", "cluster": {"server": self.url, "certificate-authority": str(self.ca_file)}}],
            "users": [{"name": user, "user": {"token": f"{user}-token"}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": user, "namespace": namespace}}],
            "current-context": "test",
        }
        path.write_text(json.dumps(content))
        return path

    def _context(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.ca_file))


class NoBinary(Exception):
    """The Kubernetes binary was not built."""


def kubernetes_binary() -> Path:
    """The multicall binary; NoBinary when there is none yet."""
    named = os.environ.get("TRACEJOB_KUBERNETES_BINARY")
    if named:
        return Path(named)
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tracejob/kubernetes"
    found = sorted(cache.glob("*/kubernetes"), key=lambda path: path.stat().st_mtime)
    if not found:
        raise NoBinary(f"no Kubernetes binary below {cache}: `make cluster-up` builds it")
    return found[-1]


@contextlib.contextmanager
def running(*, controllers: bool = False) -> Iterator[ControlPlane]:
    """etcd and kube-apiserver (and the controller manager), ended with the block."""
    binary = kubernetes_binary()
    with contextlib.ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tracejob-control-plane-")))
        etcd_port, peer_port, api_port = _free_ports(3)
        _make_certificates(directory)
        tokens = [f'{ADMIN_TOKEN},admin,admin,"system:masters"']
        tokens.extend(f"{user}-token,{user},{user}" for user in USERS)
        (directory / "tokens.csv").write_text("\n".join(tokens) + "\n")
        etcd = f"http://127.0.0.1:{etcd_port}"
        peer = f"http://127.0.0.1:{peer_port}"
        _start(
            stack,
            binary,
            "etcd",
            directory,
            f"--data-dir={directory}/etcd --listen-client-urls={etcd} --advertise-client-urls={etcd} "
            f"--listen-peer-urls={peer} --initial-advertise-peer-urls={peer} --initial-cluster=default={peer} "
            "--unsafe-no-fsync --log-level=error",
        )
        _start(
            stack,
            binary,
            "kube-apiserver",
            directory,
            f"--etcd-servers={etcd} --secure-port={api_port} --bind-address=127.0.0.1 "
            "--advertise-address=127.0.0.1 --service-cluster-ip-range=10.96.0.0/16 --endpoint-reconciler-type=none "
            f"--tls-cert-file={directory}/tls.crt --tls-private-key-file={directory}/tls.key "
            f"--token-auth-file={directory}/tokens.csv --authorization-mode=RBAC --allow-privileged=true "
            f"--service-account-issuer=https://test --service-account-key-file={directory}/sa.key "
            f"--service-account-signing-key-file={directory}/sa.key",
        )
        plane = ControlPlane(url=f"https://127.0.0.1:{api_port}", ca_file=directory / "tls.crt", directory=directory)
        _wait_ready(plane, directory)
        if controllers:
            _start(
                stack,
                binary,
                "kube-controller-manager",
                directory,
                f"--kubeconfig={plane.kubeconfig()} --leader-elect=false --secure-port=0 "
                f"--service-account-private-key-file={directory}/sa.key --root-ca-file={plane.ca_file}",
            )
        yield plane


def _start(stack: contextlib.ExitStack, binary: Path, name: str, directory: Path, flags: str) -> None:
    with (directory / f"{name}.log").open("wb") as log:
        process = subprocess.Popen(
            [name, *flags.split()], executable=binary, cwd=directory, stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )

    def stop() -> None:
        process.send_signal(signal.SIGKILL)
        process.wait()

    stack.callback(stop)


def _wait_ready(plane: ControlPlane, directory: Path) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError, ValueError):
            if plane.request("GET", "/readyz").code == 200:
                return
        time.sleep(0.1)
    raise TimeoutError(f"the API server isn't ready: {(directory / 'kube-apiserver.log').read_text()[-2000:]}")


def _make_certificates(directory: Path) -> None:
    def openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=directory, check=True, capture_output=True)

    openssl("genrsa", "-out", "sa.key", "2048")
    key = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "tls.key", "-out", "tls.crt", "-days", "2"]
    openssl(*key, "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1")


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [int(each.getsockname()[1]) for each in sockets]


def _json(data: bytes) -> Json:
    try:
        value = json.loads(data)
    except ValueError:
        return {"message": data.decode(errors="replace")}
    return value if isinstance(value, dict) else {"value": value}
