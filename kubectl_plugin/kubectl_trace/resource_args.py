"""What a user may write for a target: `pod/x`, `deploy/x`, a bare name, `-l`, `--all-nodes`; for `--local`, `pid/N`.

Comes in: words of the command line. Goes out: a `TargetArgument` or a `LocalArgument`. Pure: whether the thing exists
is the cluster's to say.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import get_close_matches
from enum import Enum

from kubectl_trace.errors import UsageMistake

KINDS = {
    "Pod": ("pod", "pods", "po"),
    "Deployment": ("deployment", "deployments", "deploy"),
    "StatefulSet": ("statefulset", "statefulsets", "sts"),
    "DaemonSet": ("daemonset", "daemonsets", "ds"),
    "ReplicaSet": ("replicaset", "replicasets", "rs"),
    "Job": ("job", "jobs"),
    "Service": ("service", "services", "svc"),
    "Node": ("node", "nodes", "no"),
}
"""Kind -> the spellings that kubectl takes for it."""

_KIND_OF = {spelling: kind for kind, spellings in KINDS.items() for spelling in spellings}
_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")


@dataclass(frozen=True, slots=True)
class TargetArgument:
    """A workload of the cluster: exactly one of `name` and `selector` counts; an empty selector means all nodes."""

    kind: str
    name: str = ""
    selector: str | None = None

    @property
    def cluster_scoped(self) -> bool:
        return self.kind == "Node"

    @property
    def stem(self) -> str:
        """What a job's name starts with."""
        if self.name:
            return self.name
        return "nodes" if self.kind == "Node" else "pods"

    def __str__(self) -> str:
        if self.name:
            return f"{self.kind.lower()}/{self.name}"
        if self.selector:
            return f"{self.kind.lower()}s with {self.selector}"
        return f"all {self.kind.lower()}s"


class LocalKind(Enum):
    HOST = "host"
    PID = "pid"
    CONTAINER = "container"
    COMM = "comm"


@dataclass(frozen=True, slots=True)
class LocalArgument:
    """A target on this machine."""

    kind: LocalKind
    value: str = ""


def parse_target(word: str, *, selector: str = "", all_nodes: bool = False) -> TargetArgument:
    """The target of `run`: a word, a selector or all nodes; UsageMistake when none or several are given."""
    given = [name for name, there in (("a name", "/" in word), ("-l", selector), ("--all-nodes", all_nodes)) if there]
    if len(given) > 1:
        raise UsageMistake(f"{' and '.join(given)} exclude each other", hint="name one target")
    if all_nodes:
        if word:
            raise UsageMistake(f"--all-nodes and {word!r} exclude each other", hint="name one target")
        return TargetArgument("Node", selector="")
    if selector:
        return TargetArgument(_kind(word) if word else "Pod", selector=selector)
    if not word:
        raise UsageMistake(
            "no target given", hint="name one, such as pod/web or deploy/shop, or use -l, --all-nodes or --local"
        )
    kind, slash, name = word.rpartition("/")
    if not slash:
        return TargetArgument("Pod", name=_name(name))
    return TargetArgument(_kind(kind), name=_name(name))


def parse_local(word: str) -> LocalArgument:
    """The target of `run --local`; nothing means the whole host."""
    if not word:
        return LocalArgument(LocalKind.HOST)
    kind, slash, value = word.partition("/")
    known = {item.value: item for item in (LocalKind.PID, LocalKind.CONTAINER, LocalKind.COMM)}
    if not slash or kind not in known or not value:
        raise UsageMistake(
            f"{word!r} is no target of this machine",
            hint="with --local, write pid/1234, container/ID, comm/NAME, or nothing for the whole host",
        )
    if kind == "pid" and not (value.isascii() and value.isdigit() and int(value) > 0):
        raise UsageMistake(f"{value!r} is no process id")
    return LocalArgument(known[kind], value)


def _kind(word: str) -> str:
    kind = _KIND_OF.get(word.lower())
    if kind is not None:
        return kind
    if word.lower() in ("pid", "container", "comm"):
        raise UsageMistake(f"{word}/... is a target of this machine", hint="add --local")
    close = get_close_matches(word.lower(), _KIND_OF, n=1)
    raise UsageMistake(
        f"{word!r} can't be traced",
        hint=f"did you mean {close[0]}/...?" if close else "targets are pod, deploy, sts, ds, rs, job, svc and node",
    )


def _name(word: str) -> str:
    if not _NAME.fullmatch(word):
        raise UsageMistake(f"{word!r} is no name of a Kubernetes object")
    return word
