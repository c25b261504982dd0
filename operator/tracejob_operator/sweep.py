"""Once at the start: agent pods whose job is gone are removed (its finalizer was taken off while nobody looked)."""

from __future__ import annotations

import logging

import msgspec

from tracejob_api import labels
from tracejob_operator.client import Api
from tracejob_operator.kube import Metadata, Pod
from tracejob_operator.settings import Settings

_LOG = logging.getLogger(__name__)


class _Named(msgspec.Struct, frozen=True):
    metadata: Metadata


async def sweep(api: Api, *, settings: Settings) -> int:
    """The number of pods removed. Pods are listed before jobs, so that a job made meanwhile isn't taken for gone."""
    path = f"/api/v1/namespaces/{settings.namespace}/pods"
    selector = f"{labels.LABEL_MANAGED_BY}={labels.MANAGER},{labels.LABEL_COMPONENT}={labels.COMPONENT_AGENT}"
    pods = (await api.list(path, Pod, query={"labelSelector": selector})).items
    if not pods:
        return 0
    jobs: set[str] = set()
    for plural in (labels.TRACEJOB_PLURAL, labels.CLUSTER_PLURAL):
        found = await api.list(f"/apis/{labels.API_VERSION}/{plural}", _Named)
        jobs.update(item.metadata.uid for item in found.items)
    orphans = [pod for pod in pods if pod.metadata.labels.get(labels.LABEL_JOB_UID) not in jobs]
    for pod in orphans:
        _LOG.info("removing agent %s: its job is gone", pod.metadata.name)
        await api.delete(f"{path}/{pod.metadata.name}")
    return len(orphans)
