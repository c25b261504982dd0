"""Users with the rights that a test gives them: a service account, its roles, a kubeconfig with its token."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from e2e.system import Json, System

Rule = tuple[str, str, str]  # API group, resource, verbs with commas

TRACING: Rule = ("tracejob.dev", "tracejobs", "create,get,list,watch,delete,patch")
READ_PODS: Rule = ("", "pods", "get,list")
EXEC: Rule = ("", "pods/exec", "create")


def user(system: System, name: str, folder: Path, *, rules: Sequence[Rule] = (), cluster_role: str = "") -> System:
    """The system as a user of this namespace sees it, who has these rules or this cluster role there."""
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name}}
    subject = {"kind": "ServiceAccount", "name": name, "namespace": system.namespace}
    if cluster_role:
        reference, roles = {"kind": "ClusterRole", "name": cluster_role}, []
    else:
        reference, roles = {"kind": "Role", "name": name}, [_role(name, rules)]
    binding = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"name": name},
        "subjects": [subject],
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", **reference},
    }
    system.apply(account, *roles, binding).ok()
    token = system.kubectl("create", "token", name).ok().strip()
    return with_login(system, folder / f"{name}.kubeconfig", login={"token": token})


def with_login(system: System, path: Path, *, login: Json, server: str = "") -> System:
    """The same cluster with another user, or another address."""
    config = json.loads(system.kubectl("config", "view", "--raw", "--minify", "-o", "json").ok())
    config["users"][0]["user"] = login
    if server:
        config["clusters"][0]["cluster"]["server"] = server
    path.write_text(json.dumps(config))
    return System(kubeconfig=path, path=system.path, ours=system.ours, namespace=system.namespace)


def _role(name: str, rules: Sequence[Rule]) -> Json:
    listed = [{"apiGroups": [group], "resources": [what], "verbs": verbs.split(",")} for group, what, verbs in rules]
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "Role",
        "metadata": {"name": name},
        "rules": listed,
    }
