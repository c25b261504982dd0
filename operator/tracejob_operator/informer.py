"""A live copy of some objects: list, then watch, then list again when the watch broke.

In: a collection's path and a selector. Out: `objects` by name, and a call of `changed` after every change. One per job
and selector, so that the operator never watches more pods than the jobs are about.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Generic, Protocol, TypeVar

import msgspec

from tracejob_operator.client import WATCH_SECONDS, Api, APIError, APIGoneError, WatchEvent
from tracejob_operator.kube import ApiStatus, Metadata

_LOG = logging.getLogger(__name__)
_RETRY_SECONDS = 1.0
_PAUSE_SECONDS = 0.1


class HasMetadata(Protocol):
    @property
    def metadata(self) -> Metadata: ...


T = TypeVar("T", bound=HasMetadata)


class Informer(Generic[T]):
    """`synced` is set once the first list is in. `run` goes on until it is cancelled."""

    def __init__(
        self, api: Api, *, path: str, type_: type[T], query: Mapping[str, str], changed: Callable[[], None]
    ) -> None:
        self._api = api
        self._path = path
        self._type = type_
        self._query = dict(query)
        self._changed = changed
        self.objects: dict[str, T] = {}
        self.synced = asyncio.Event()

    async def run(self) -> None:
        while True:
            try:
                version = await self._list()
                await self._watch(version)
            except APIGoneError as error:
                _LOG.debug("watching %s: %s", self._path, error)
            except APIError as error:
                _LOG.warning("watching %s: %s", self._path, error)
                await asyncio.sleep(_RETRY_SECONDS)
            # A server that ends every watch at once isn't asked without a pause.
            await asyncio.sleep(_PAUSE_SECONDS)

    async def _list(self) -> str:
        found = await self._api.list(self._path, self._type, query=self._query)
        self.objects = {item.metadata.name: item for item in found.items}
        self.synced.set()
        self._changed()
        return found.metadata.resource_version

    async def _watch(self, version: str) -> None:
        query = self._query | {
            "watch": "true",
            "resourceVersion": version,
            "timeoutSeconds": str(WATCH_SECONDS),
            "allowWatchBookmarks": "true",
        }
        async with self._api.stream(self._path, query=query) as lines:
            async for line in lines:
                self._apply(msgspec.json.decode(line, type=WatchEvent))

    def _apply(self, event: WatchEvent) -> None:
        match event.type:
            case "BOOKMARK":
                return
            case "ERROR":
                status = msgspec.json.decode(event.object, type=ApiStatus)
                raise APIGoneError(status.message, code=status.code)
        item = msgspec.json.decode(event.object, type=self._type)
        if event.type == "DELETED":
            self.objects.pop(item.metadata.name, None)
        else:
            self.objects[item.metadata.name] = item
        self._changed()
