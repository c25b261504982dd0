"""The operator goes without a trace, and comes back."""

from __future__ import annotations

import pytest

from e2e.nodes import NodeShell
from e2e.pods import pod
from e2e.system import SYSTEM_NAMESPACE, System

COUNT = "tracepoint:syscalls:sys_enter_openat { @ = count(); }"


@pytest.mark.alone
def test_uninstall_leaves_nothing_and_install_brings_all_back(space: System, nodes: list[str]) -> None:
    if not space.ours:
        pytest.skip("takes the operator and every job away, which is fine on our own kind cluster only")
    space.apply(pod("web")).ok()
    space.kubectl("wait", "--for=condition=Ready", "pod/web", "--timeout=60s").ok()
    space.start("pod/web", COUNT, name="goes-too")

    careful = space.trace("uninstall")
    assert careful.code == 1
    assert "--yes" in careful.err
    try:
        space.trace("uninstall", "--yes", timeout=240).ok()
        kinds = "crd,clusterrole,clusterrolebinding,validatingadmissionpolicy,namespace"
        names = space.kubectl("get", kinds, "-o", "name").ok()
        assert [
            name for name in names.splitlines() if "tracejob" in name and not name.startswith("namespace/e2e")
        ] == []
        for node in nodes:
            assert NodeShell(node).run("ls -d /var/cache/tracejob 2>&1 || true").startswith("ls: cannot access")
        missing = space.trace("run", "pod/web", "-e", COUNT, "--name", "nobody-there")
        assert missing.code == 1
        assert "kubectl trace install" in missing.err
    finally:
        space.trace("install", timeout=200).ok()
    assert SYSTEM_NAMESPACE in space.kubectl("get", "namespaces", "-o", "name").ok()
    job = space.start("pod/web", COUNT, name="back-again")
    assert job.stop()["phase"] == "Succeeded"
