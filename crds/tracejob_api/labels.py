"""Names that the operator, its agents and the client agree on: group, labels, annotations, paths, exit codes."""

from __future__ import annotations

from enum import IntEnum

GROUP = "tracejob.dev"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"
TRACEJOB_KIND = "TraceJob"
TRACEJOB_PLURAL = "tracejobs"
CLUSTER_KIND = "ClusterTraceJob"
CLUSTER_PLURAL = "clustertracejobs"

SYSTEM_NAMESPACE = "tracejob-system"

# Labels of agent pods and result ConfigMaps. A label holds 63 characters and a job's name may have 253, so the UID is
# what selects and names are annotations.
LABEL_MANAGED_BY = "app.kubernetes.io/managed-by"
LABEL_COMPONENT = "app.kubernetes.io/component"
LABEL_JOB_UID = f"{GROUP}/job-uid"
MANAGER = "tracejob-operator"
COMPONENT_AGENT = "agent"
COMPONENT_RESULTS = "results"

ANNOTATION_JOB = f"{GROUP}/job"  # "namespace/name", or "/name" for a ClusterTraceJob
ANNOTATION_NODE = f"{GROUP}/node"
ANNOTATION_REQUEST = f"{GROUP}/request"  # the agent's AgentRequest, encoded

FINALIZER = f"{GROUP}/cleanup"

# Where an agent pod finds its request (a downwardAPI volume) and the node's own trees (hostPath volumes).
REQUEST_DIRECTORY = "/run/tracejob/request"
REQUEST_FILE = f"{REQUEST_DIRECTORY}/request"
AGENT_CONTAINER = "agent"

# What agents keep for the next one, in the pod; on the node unless the chart says otherwise.
CACHE_DIRECTORY = "/var/cache/tracejob"


class AgentExit(IntEnum):
    """Exit codes of an agent. The operator believes its records first, then this, then the pod's phase."""

    DELIVERED = 0  # a result record was written
    FAULT = 1  # anything not below
    PROGRAM_ERROR = 2  # the diagnostics record says what
    TARGET_GONE = 3  # nothing to trace was left before the probes were attached
