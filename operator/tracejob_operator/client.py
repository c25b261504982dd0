"""The cluster: requests, watches and logs over the API server. The only module that imports the Kubernetes client.

In: paths, JSON bodies and the type of the answer. Out: typed objects, or an APIError that says which refusal it was.
Streams (watches, logs) have a client of their own without a bound on connections: a followed log per agent must not
keep requests waiting.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from enum import Enum
from pathlib import Path
from typing import Protocol, TypeVar, cast

import aiohttp
import msgspec
from kubernetes.aio.client.api_client import ApiClient
from kubernetes.aio.client.configuration import Configuration
from kubernetes.aio.client.exceptions import ApiException
from kubernetes.aio.config import ConfigException
from kubernetes.aio.config.incluster_config import load_incluster_config
from kubernetes.aio.config.kube_config import load_kube_config

from tracejob_operator.kube import ApiStatus, ListOf

T = TypeVar("T")

REQUEST_TIMEOUT = aiohttp.ClientTimeout(total=30)
WATCH_SECONDS = 290
# A connection that died without a word is noticed a little after the server would have ended the watch itself; a quiet
# log is then read again, which changes nothing.
_STREAM_TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=WATCH_SECONDS + 40)
_SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")


class APIError(Exception):
    """The API server refused, or couldn't be reached (code 0)."""

    def __init__(self, message: str, *, code: int = 0) -> None:
        super().__init__(message)
        self.code = code


class APIUnreachableError(APIError):
    """No answer."""


class APIForbiddenError(APIError):
    """The operator's own rights don't suffice, or an admission plugin refused."""


class APINotFoundError(APIError):
    """No such object."""


class APIConflictError(APIError):
    """It exists already, or changed meanwhile."""


class APIInvalidError(APIError):
    """The server understood and won't."""


class APIGoneError(APIError):
    """A watch's starting point is no longer kept."""


class PatchKind(Enum):
    MERGE = "application/merge-patch+json"
    JSON = "application/json-patch+json"


class WatchEvent(msgspec.Struct, frozen=True):
    """One line of a watch; `object` stays undecoded until its kind is known."""

    type: str
    object: msgspec.Raw


class _Content(Protocol):
    def iter_any(self) -> AsyncIterator[bytes]: ...


class _Response(Protocol):
    """What is used of aiohttp's response."""

    status: int
    content: _Content

    async def read(self) -> bytes: ...
    def close(self) -> None: ...


class Api:
    """One cluster, as the operator's service account or a kubeconfig's user."""

    def __init__(self, requests: ApiClient, streams: ApiClient) -> None:
        self._requests = requests
        self._streams = streams

    async def close(self) -> None:
        await self._requests.close()  # type: ignore[no-untyped-call]  # the library has no types
        await self._streams.close()  # type: ignore[no-untyped-call]  # the library has no types

    async def get(self, path: str, type_: type[T], *, query: Mapping[str, str] | None = None) -> T:
        return msgspec.json.decode(await self._request("GET", path, query=query), type=type_)

    async def list(self, path: str, type_: type[T], *, query: Mapping[str, str] | None = None) -> ListOf[T]:
        """All objects at once; queries are "labelSelector" and "fieldSelector"."""
        return await self.get(path, ListOf[type_], query=query)  # type: ignore[valid-type]  # a type made at run time

    async def create(self, path: str, body: object, type_: type[T]) -> T:
        return msgspec.json.decode(await self._request("POST", path, body=body), type=type_)

    async def patch(self, path: str, body: object, *, kind: PatchKind = PatchKind.MERGE) -> None:
        await self._request("PATCH", path, body=body, content_type=kind.value)

    async def delete(self, path: str, *, grace_seconds: int | None = None) -> None:
        """Ask for deletion; an object that isn't there is as good as deleted."""
        query = {} if grace_seconds is None else {"gracePeriodSeconds": str(grace_seconds)}
        try:
            await self._request("DELETE", path, query=query | {"propagationPolicy": "Background"})
        except APINotFoundError:
            return

    @asynccontextmanager
    async def stream(self, path: str, *, query: Mapping[str, str]) -> AsyncIterator[AsyncIterator[bytes]]:
        """The lines of a streaming GET, without their ends, until the server closes it."""
        async with self._open(self._streams, "GET", path, query=query, timeout=_STREAM_TIMEOUT) as response:
            yield _lines(response)

    async def _request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: object = None,
        content_type: str = "application/json",
    ) -> bytes:
        opened = self._open(
            self._requests, method, path, query=query, body=body, content_type=content_type, timeout=REQUEST_TIMEOUT
        )
        async with opened as response:
            return await response.read()

    @asynccontextmanager
    async def _open(
        self,
        client: ApiClient,
        method: str,
        path: str,
        *,
        timeout: aiohttp.ClientTimeout,
        query: Mapping[str, str] | None = None,
        body: object = None,
        content_type: str = "application/json",
    ) -> AsyncIterator[_Response]:
        try:
            _, url, headers, payload, _ = await client.param_serialize(
                method,
                path,
                query_params=list((query or {}).items()),
                header_params={"Accept": "application/json", "Content-Type": content_type},
                body=body,
                auth_settings=["BearerToken"],
            )
            answer = await client.rest_client.request(  # type: ignore[no-untyped-call]  # the library has no types
                method, url, headers=headers, body=payload, _request_timeout=timeout
            )
            response = cast(_Response, answer.response)
            try:
                if response.status >= 400:
                    raise _refusal(await response.read(), code=response.status)
                yield response
            finally:
                response.close()
        except (aiohttp.ClientError, ApiException, TimeoutError, OSError) as error:
            raise APIUnreachableError(f"{method} {path}: {error or type(error).__name__}") from error


async def connect() -> Api:
    """The cluster that the operator runs in, else the one of $KUBECONFIG."""
    try:
        return Api(await _client(pool=64), await _client(pool=0))
    except ConfigException as error:
        raise APIUnreachableError(f"no cluster is configured: {error}") from error


async def _client(*, pool: int) -> ApiClient:
    configuration = Configuration()
    if (_SERVICE_ACCOUNT / "token").exists():
        load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]  # the library has no types
    else:
        await load_kube_config(client_configuration=configuration)  # type: ignore[no-untyped-call]  # the library has no types
    configuration.connection_pool_maxsize = pool
    client = ApiClient(configuration)
    client.user_agent = "tracejob-operator"
    return client


async def _lines(response: _Response) -> AsyncIterator[bytes]:
    pieces: list[bytes] = []
    async for chunk in response.content.iter_any():
        head, *rest = chunk.split(b"\n")
        pieces.append(head)
        for piece in rest:
            yield b"".join(pieces)
            pieces = [piece]
    if tail := b"".join(pieces):
        yield tail


def _refusal(body: bytes, *, code: int) -> APIError:
    try:
        message = msgspec.json.decode(body, type=ApiStatus).message
    except msgspec.MsgspecError:
        message = body.decode(errors="replace")[:1000]
    match code:
        case 401 | 403:
            return APIForbiddenError(message, code=code)
        case 404:
            return APINotFoundError(message, code=code)
        case 409:
            return APIConflictError(message, code=code)
        case 410:
            return APIGoneError(message, code=code)
        case 400 | 422:
            return APIInvalidError(message, code=code)
    return APIError(message, code=code)
