"""What kopf calls: the operator's start and end, and every event about a job. Nothing is decided here.

kopf brings the watches over both kinds, their restarts, health and signals. Finalizer and status are this project's own
(`jobs`, `reporter`), so kopf leaves no annotation on a user's object.
"""

from __future__ import annotations

import logging
import os
from typing import Protocol, cast

import kopf

from tracejob_api import labels
from tracejob_operator.client import WATCH_SECONDS, Api, connect
from tracejob_operator.jobs import Jobs
from tracejob_operator.settings import Settings
from tracejob_operator.sweep import sweep

_LOG = logging.getLogger(__name__)


class _Memo(Protocol):
    """What the handlers share."""

    api: Api
    jobs: Jobs


def login(**arguments: object) -> object:
    """The service account's token in a cluster, else the kubeconfig; no Kubernetes library is asked."""
    in_cluster = kopf.login_with_service_account(**arguments)  # type: ignore[arg-type]  # kopf's own keywords
    return in_cluster or kopf.login_with_kubeconfig(**arguments)  # type: ignore[arg-type]  # as above


async def start(settings: kopf.OperatorSettings, memo: kopf.Memo, **_: object) -> None:
    settings.posting.enabled = False
    settings.queueing.batch_window = 0.01
    settings.watching.server_timeout = WATCH_SECONDS
    settings.watching.client_timeout = WATCH_SECONDS + 40
    settings.scanning.disabled = True
    ours = Settings.from_environment(os.environ)
    shared = cast(_Memo, memo)
    shared.api = await connect()
    shared.jobs = Jobs(shared.api, settings=ours)
    removed = await sweep(shared.api, settings=ours)
    _LOG.info("agents of jobs that are gone: %d removed", removed)


async def stop(memo: kopf.Memo, **_: object) -> None:
    shared = cast(_Memo, memo)
    await shared.jobs.close()
    await shared.api.close()


async def job_changed(event: kopf.RawEvent, memo: kopf.Memo, **_: object) -> None:
    cast(_Memo, memo).jobs.observe(event["object"], deleted=event["type"] == "DELETED")


def register() -> kopf.OperatorRegistry:
    """The registry that `kopf.run` takes."""
    registry = kopf.OperatorRegistry()
    kopf.on.login(registry=registry)(login)
    kopf.on.startup(registry=registry)(start)
    kopf.on.cleanup(registry=registry)(stop)
    for plural in (labels.TRACEJOB_PLURAL, labels.CLUSTER_PLURAL):
        kopf.on.event(labels.GROUP, labels.VERSION, plural, registry=registry)(job_changed)
    return registry
