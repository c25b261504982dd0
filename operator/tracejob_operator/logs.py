"""Follow an agent's log: lines from the API server into an `AgentLog`, over breaks, until the container has ended.

The stream starts anew after a break; records that were seen already are known by their numbers.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from tracejob_api.labels import AGENT_CONTAINER
from tracejob_operator.agent_log import AgentLog
from tracejob_operator.client import Api, APIError, APIInvalidError, APINotFoundError

_LOG = logging.getLogger(__name__)
_RETRY_SECONDS = 0.5
_NOT_READY_SECONDS = 0.05


async def follow(
    api: Api, *, path: str, log: AgentLog, changed: Callable[[], None], has_ended: Callable[[], bool]
) -> None:
    """Read the log of the pod at `path` until its stream ends after `has_ended()` was true, then set `log.ended`."""
    while True:
        ended_before = has_ended()
        try:
            await _read(api, path=path, log=log, changed=changed)
        except APINotFoundError:
            break  # the pod is gone, and its log with it
        except APIInvalidError as error:
            # "container is waiting to start": a watch event came before the kubelet can serve the log.
            _LOG.debug("%s: %s", path, error)
            if ended_before:
                break  # it never started: there is no log
            await asyncio.sleep(_NOT_READY_SECONDS)
            continue
        except APIError as error:
            _LOG.warning("log of %s: %s", path, error)
            await asyncio.sleep(_RETRY_SECONDS)
            continue
        if ended_before or log.result is not None:
            break
        await asyncio.sleep(_NOT_READY_SECONDS)
    log.ended = True
    changed()


async def _read(api: Api, *, path: str, log: AgentLog, changed: Callable[[], None]) -> None:
    query = {"container": AGENT_CONTAINER, "follow": "true"}
    async with api.stream(f"{path}/log", query=query) as lines:
        async for line in lines:
            if log.feed(line):
                changed()
