"""The parts of Kubernetes objects that the operator reads, as types. Members that aren't named here are skipped."""

from __future__ import annotations

from datetime import datetime
from typing import Generic, TypeVar

import msgspec

T = TypeVar("T")


class _Object(msgspec.Struct, frozen=True, rename="camel"):
    """Base: camel case in JSON."""


class OwnerReference(_Object, frozen=True):
    kind: str
    name: str
    uid: str
    controller: bool = False


class Metadata(_Object, frozen=True):
    name: str
    uid: str = ""
    namespace: str = ""
    resource_version: str = ""
    generation: int = 0
    creation_timestamp: datetime | None = None
    deletion_timestamp: datetime | None = None
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    owner_references: tuple[OwnerReference, ...] = ()
    finalizers: tuple[str, ...] = ()


class Waiting(_Object, frozen=True):
    reason: str = ""
    message: str = ""


class Running(_Object, frozen=True):
    started_at: datetime | None = None


class Terminated(_Object, frozen=True):
    exit_code: int = 0
    reason: str = ""
    message: str = ""


class ContainerState(_Object, frozen=True):
    waiting: Waiting | None = None
    running: Running | None = None
    terminated: Terminated | None = None


class ContainerStatus(_Object, frozen=True):
    name: str
    container_id: str = msgspec.field(default="", name="containerID")
    image: str = ""
    state: ContainerState = ContainerState()


class PodCondition(_Object, frozen=True):
    type: str
    status: str = ""
    reason: str = ""
    message: str = ""


class NamedContainer(_Object, frozen=True):
    name: str


class PodSpec(_Object, frozen=True):
    node_name: str = ""
    containers: tuple[NamedContainer, ...] = ()
    init_containers: tuple[NamedContainer, ...] = ()
    ephemeral_containers: tuple[NamedContainer, ...] = ()


class PodStatus(_Object, frozen=True):
    phase: str = ""
    reason: str = ""
    message: str = ""
    qos_class: str = ""
    conditions: tuple[PodCondition, ...] = ()
    container_statuses: tuple[ContainerStatus, ...] = ()
    init_container_statuses: tuple[ContainerStatus, ...] = ()
    ephemeral_container_statuses: tuple[ContainerStatus, ...] = ()

    def all_containers(self) -> tuple[ContainerStatus, ...]:
        """Init and sidecar containers first, then the pod's own, then ephemeral ones."""
        return self.init_container_statuses + self.container_statuses + self.ephemeral_container_statuses


class Pod(_Object, frozen=True):
    metadata: Metadata
    spec: PodSpec = PodSpec()
    status: PodStatus = PodStatus()

    def container_names(self) -> tuple[str, ...]:
        spec = self.spec
        return tuple(item.name for item in spec.init_containers + spec.containers + spec.ephemeral_containers)


class Requirement(_Object, frozen=True):
    key: str
    operator: str
    values: tuple[str, ...] = ()


class Selector(_Object, frozen=True):
    match_labels: dict[str, str] = {}
    match_expressions: tuple[Requirement, ...] = ()


class WorkloadSpec(_Object, frozen=True):
    selector: Selector | None = None


class Workload(_Object, frozen=True):
    """A Deployment, StatefulSet, DaemonSet, ReplicaSet or Job."""

    metadata: Metadata
    spec: WorkloadSpec = WorkloadSpec()


class ServiceSpec(_Object, frozen=True):
    selector: dict[str, str] = {}


class Service(_Object, frozen=True):
    metadata: Metadata
    spec: ServiceSpec = ServiceSpec()


class Node(_Object, frozen=True):
    metadata: Metadata


class ListMetadata(_Object, frozen=True):
    resource_version: str = ""


class ListOf(_Object, Generic[T], frozen=True):
    items: tuple[T, ...]
    metadata: ListMetadata = ListMetadata()


class ApiStatus(_Object, frozen=True):
    """The body of a refusal."""

    message: str = ""
    reason: str = ""
    code: int = 0
