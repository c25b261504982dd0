"""Why a job or one of its targets failed: the words in conditions and target statuses, grouped for clients."""

from __future__ import annotations

from enum import Enum


class Reason(Enum):
    """CamelCase words; an agent's own failures (`records.Failure`) are spelled the same."""

    # The program.
    PROGRAM_INVALID = "ProgramInvalid"
    PROGRAM_TOO_LARGE = "ProgramTooLarge"
    VERIFIER_REFUSED = "VerifierRefused"
    UNKNOWN_TOOL = "UnknownTool"
    UNSUPPORTED = "Unsupported"
    # The target.
    TARGET_NOT_FOUND = "TargetNotFound"
    NO_PODS = "NoPods"
    POD_NOT_RUNNING = "PodNotRunning"
    CONTAINER_NOT_FOUND = "ContainerNotFound"
    CONTAINER_NOT_RUNNING = "ContainerNotRunning"
    TOO_MANY_TARGETS = "TooManyTargets"
    NO_SELECTOR = "NoSelector"
    TARGET_GONE = "TargetGone"
    # The way to `attached`.
    START_TIMEOUT = "StartTimeout"
    IMAGE_MISSING = "ImageMissing"
    UNSCHEDULABLE = "Unschedulable"
    ATTACH_FAILED = "AttachFailed"
    NODE_UNSUPPORTED = "NodeUnsupported"
    AGENT_REFUSED = "AgentRefused"  # the API server didn't admit the agent pod
    # Later.
    AGENT_FAILED = "AgentFailed"
    AGENT_LOST = "AgentLost"
    RESULT_LOST = "ResultLost"
    LIMIT_EXCEEDED = "LimitExceeded"
    REQUEST_INVALID = "RequestInvalid"
    INTERNAL_ERROR = "InternalError"
    STOPPED = "Stopped"  # before anything was attached


PROGRAM_REASONS = frozenset(
    {
        Reason.PROGRAM_INVALID,
        Reason.PROGRAM_TOO_LARGE,
        Reason.VERIFIER_REFUSED,
        Reason.UNKNOWN_TOOL,
        Reason.UNSUPPORTED,
    }
)
TARGET_REASONS = frozenset(
    {
        Reason.TARGET_NOT_FOUND,
        Reason.NO_PODS,
        Reason.POD_NOT_RUNNING,
        Reason.CONTAINER_NOT_FOUND,
        Reason.CONTAINER_NOT_RUNNING,
        Reason.TOO_MANY_TARGETS,
        Reason.NO_SELECTOR,
        Reason.TARGET_GONE,
    }
)
START_REASONS = frozenset({Reason.START_TIMEOUT, Reason.IMAGE_MISSING, Reason.UNSCHEDULABLE})
