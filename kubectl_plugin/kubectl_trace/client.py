"""The cluster: requests to the API server, its refusals as sentences. The only module that imports the client library.

Comes in: a kubeconfig, kubectl's flags, paths and JSON bodies. Goes out: JSON, lines of a stream, or an `ApiError`
whose message a user can act on. Bodies stay plain JSON: `jobs` gives the project's own objects their types.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, cast

from kubernetes.client.api_client import ApiClient
from kubernetes.client.configuration import Configuration
from kubernetes.client.exceptions import ApiException
from kubernetes.config import ConfigException, incluster_config, kube_config
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    MaxRetryError,
    NewConnectionError,
    ReadTimeoutError,
    SSLError,
)

from kubectl_trace.context import KubeFlags
from kubectl_trace.errors import CommandError
from tracejob_api.labels import CLUSTER_PLURAL, GROUP

Json = dict[str, object]

CONNECT_TIMEOUT = 10.0
_PAUSES = (0.5, 1.0, 2.0, 4.0)
"""Seconds between attempts at a server that says that it is busy."""

MERGE_PATCH = "application/merge-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"
_IN_CLUSTER_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")


class ApiError(CommandError):
    """The API server, or the way to it, said no."""


class NotConfigured(ApiError):
    """No kubeconfig, or one that doesn't hold together."""


class Unreachable(ApiError):
    """Nothing answers where the API server should be."""


class Unauthorized(ApiError):
    """The server doesn't know who asks."""


class Forbidden(ApiError):
    """The server knows who asks, and that they may not."""


class NotFound(ApiError):
    """No object of that name."""


class OperatorMissing(ApiError):
    """The cluster has no TraceJob resource."""


class Conflict(ApiError):
    """An object of that name is there already, or changed meanwhile."""


class Refused(ApiError):
    """The server understood and won't: validation or an admission policy."""


class Busy(ApiError):
    """Try later: nothing was done (a resource that is just being made answers so)."""


class Gone(ApiError):
    """A watch started from a version that is no longer kept."""


@dataclass(frozen=True, slots=True)
class Status:
    """The parts of a `metav1.Status` that the sentences need."""

    code: int
    reason: str
    message: str
    kind: str
    name: str


class _Response(Protocol):
    """What is used of urllib3's response."""

    status: int

    def read(self) -> bytes: ...
    def stream(self, amt: int, decode_content: bool | None = None) -> Iterator[bytes]: ...
    def close(self) -> None: ...


class Api:
    """One cluster, one user. Safe to use from several threads; each stream takes a connection of its own."""

    def __init__(self, client: ApiClient, *, host: str, namespace: str, timeout: float) -> None:
        self._client = client
        self.host = host
        self.namespace = namespace
        self._timeout = timeout

    def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str | bool | int] | None = None,
        body: object = None,
        content_type: str = "application/json",
        accept: str = "application/json",
    ) -> Json:
        """One request and its JSON answer; ApiError when the answer is a refusal."""
        for pause in (*_PAUSES, 0.0):
            try:
                with self._open(
                    method, path, query=query, body=body, content_type=content_type, accept=accept,
                    read_timeout=self._timeout,
                ) as response:  # fmt: skip
                    return cast(Json, json.loads(response.read()))
            except Busy:
                if not pause:
                    raise
                time.sleep(pause)
        raise AssertionError("the last attempt returns or raises")

    def text(self, path: str, *, query: Mapping[str, str | bool | int] | None = None) -> str:
        """A GET whose answer is text, such as a log."""
        with self._open("GET", path, query=query, read_timeout=self._timeout) as response:
            return response.read().decode(errors="replace")

    @contextmanager
    def lines(
        self,
        path: str,
        *,
        query: Mapping[str, str | bool | int],
        accept: str = "application/json",
        read_timeout: float | None = None,
    ) -> Iterator[Iterator[bytes]]:
        """A streaming GET, line by line, until the server ends it (a watch, a followed log)."""
        with self._open("GET", path, query=query, accept=accept, read_timeout=read_timeout) as response:
            yield _split_lines(response)

    def may(self, verb: str, resource: str, *, group: str = "", subresource: str = "", namespace: str = "") -> bool:
        """Whether the caller may do that (SelfSubjectAccessReview)."""
        attributes = {
            "verb": verb,
            "group": group,
            "resource": resource,
            "subresource": subresource,
            "namespace": namespace,
        }
        answer = self.request(
            "POST",
            "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
            body={
                "apiVersion": "authorization.k8s.io/v1",
                "kind": "SelfSubjectAccessReview",
                "spec": {"resourceAttributes": {key: value for key, value in attributes.items() if value}},
            },
        )
        status = answer.get("status")
        return isinstance(status, dict) and bool(status.get("allowed"))

    @contextmanager
    def _open(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str | bool | int] | None = None,
        body: object = None,
        content_type: str = "application/json",
        accept: str = "application/json",
        read_timeout: float | None,
    ) -> Iterator[_Response]:
        _, url, headers, payload, _ = self._client.param_serialize(
            method,
            path,
            query_params=[(key, _query_value(value)) for key, value in (query or {}).items()],
            header_params={"Accept": accept, "Content-Type": content_type},
            body=body,
            auth_settings=["BearerToken"],
        )
        try:
            answer = self._client.rest_client.request(  # type: ignore[no-untyped-call]  # the library has no types
                method, url, headers=headers, body=payload, _request_timeout=(CONNECT_TIMEOUT, read_timeout)
            )
            response = cast(_Response, answer.response)
            try:
                if response.status >= 400:
                    raise _refusal(_parse_status(response), path=path)
                yield response
            finally:
                response.close()
        except (HTTPError, ApiException, OSError) as error:
            raise _unreachable(error, host=self.host) from error


def connect(flags: KubeFlags, *, environment: Mapping[str, str]) -> Api:
    """The cluster that kubectl with the same flags would talk to."""
    configuration = Configuration()
    namespace = _load_configuration(configuration, flags, environment)
    # The library retries refused connections with growing pauses; a person at a terminal wants to know at once.
    configuration.retries = 0
    configuration.connection_pool_maxsize = 32
    host = str(configuration.host)
    client = ApiClient(configuration)
    client.user_agent = "kubectl-trace"
    return Api(client, host=host, namespace=flags.namespace or namespace, timeout=flags.request_timeout or 30.0)


def _load_configuration(configuration: Configuration, flags: KubeFlags, environment: Mapping[str, str]) -> str:
    """Fill `configuration`; gives the namespace that the kubeconfig names."""
    paths = flags.kubeconfig or environment.get("KUBECONFIG") or str(_home(environment) / ".kube" / "config")
    present = any(Path(path).is_file() for path in paths.split(os.pathsep) if path)
    if not present and not flags.kubeconfig and environment.get("KUBERNETES_SERVICE_HOST"):
        incluster_config.load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]  # same
        return _IN_CLUSTER_NAMESPACE.read_text().strip() if _IN_CLUSTER_NAMESPACE.is_file() else "default"
    if not present:
        raise NotConfigured(
            f"no cluster is configured: {paths} doesn't exist",
            hint="set KUBECONFIG or --kubeconfig; without a cluster, `kubectl trace run --local` traces this machine",
        )
    try:
        kube_config.load_kube_config(  # type: ignore[no-untyped-call]  # same
            config_file=paths, context=flags.context or None, client_configuration=configuration, persist_config=False
        )
        contexts, active = kube_config.list_kube_config_contexts(  # type: ignore[no-untyped-call]  # same
            config_file=paths
        )
    except (ConfigException, OSError, ValueError, TypeError) as error:
        raise NotConfigured(f"the kubeconfig {paths} can't be used: {error}", hint="kubectl config view") from error
    chosen = next((item for item in contexts if item["name"] == flags.context), active)
    return str(chosen["context"].get("namespace") or "default")


def _home(environment: Mapping[str, str]) -> Path:
    return Path(environment["HOME"]) if environment.get("HOME") else Path.home()


def _query_value(value: str | bool | int) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _split_lines(response: _Response) -> Iterator[bytes]:
    rest = b""
    for chunk in response.stream(65536, decode_content=True):
        *whole, rest = (rest + chunk).split(b"\n")
        yield from whole
    if rest:
        yield rest


def _parse_status(response: _Response) -> Status:
    raw = response.read()
    try:
        body = json.loads(raw)
    except ValueError:
        body = None
    if not isinstance(body, dict):
        text = raw.decode(errors="replace").strip()
        return Status(code=response.status, reason="", message=text or f"HTTP {response.status}", kind="", name="")
    details = body.get("details") or {}
    return Status(
        code=response.status,
        reason=str(body.get("reason") or ""),
        message=str(body.get("message") or f"HTTP {response.status}"),
        kind=str(details.get("kind") or ""),
        name=str(details.get("name") or ""),
    )


def _refusal(status: Status, *, path: str) -> ApiError:
    """The refusal as a typed error with a sentence of its own."""
    match status.code:
        case 401:
            return Unauthorized(
                "the cluster doesn't accept these credentials", hint="log in again, or check `kubectl auth whoami`"
            )
        case 403 if "ValidatingAdmissionPolicy" in status.message:
            return Refused(_policy_message(status.message))
        case 403:
            return Forbidden(f"not allowed: {status.message}", hint=_right_to_ask_for(path))
        case 404 if not status.name and f"/{GROUP}/" in path:
            return OperatorMissing(
                "this cluster has no TraceJob resource: the operator isn't installed",
                hint="`kubectl trace install` installs it (needs cluster-admin)",
            )
        case 404:
            return NotFound(status.message if status.name else f"not found: {path}")
        case 409:
            return Conflict(status.message)
        case 410:
            return Gone(status.message)
        case 429:
            return Busy(f"the API server is busy: {status.message}", hint="try again")
        case 400 | 422:
            return Refused(f"the cluster refused it: {status.message}")
        case _:
            return ApiError(f"the API server answered {status.code}: {status.message}")


def _right_to_ask_for(path: str) -> str:
    if CLUSTER_PLURAL in path:
        return "nodes, other namespaces and --unsafe need rights on clustertracejobs, which cluster admins give"
    if f"/{GROUP}/" in path:
        return (
            "ask who runs the cluster for the role `edit` (or `tracejob-edit` and `create pods/exec`) in the namespace"
        )
    return "ask who runs the cluster for that right"


def _policy_message(message: str) -> str:
    """What the policy's author wrote, without the apparatus around it."""
    _, colon, words = message.partition("denied request: ")
    return f"the cluster refused it: {words if colon else message}"


def _unreachable(error: Exception, *, host: str) -> Unreachable:
    reason = getattr(error, "reason", None) if isinstance(error, MaxRetryError) else error
    hint = "is the cluster up, and does `kubectl cluster-info` reach it?"
    if isinstance(reason, SSLError) or (isinstance(error, ApiException) and "SSL" in str(error)):
        return Unreachable(
            f"the certificate of the API server at {host} isn't trusted",
            hint="check certificate-authority in the kubeconfig",
        )
    if isinstance(reason, ConnectTimeoutError | ReadTimeoutError) and not isinstance(reason, NewConnectionError):
        return Unreachable(f"the API server at {host} didn't answer in time", hint=hint)
    words = str(getattr(reason, "args", [""])[-1] if reason is not None else error)
    return Unreachable(f"can't reach the API server at {host}: {words.rpartition(': ')[2] or words}", hint=hint)
