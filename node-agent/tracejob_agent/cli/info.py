"""--info: what this machine and its kernel offer."""

from __future__ import annotations

import os

from tracejob_agent.kernel.host_facts import HostFacts

_HELPERS = ("get_attach_cookie", "get_tai_ns", "get_func_ip", "lookup_percpu_elem", "loop", "for_each_map_elem",
            "current_task_under_cgroup", "ringbuf_reserve", "strncmp", "copy_from_user")  # fmt: skip
_PROVIDERS = ("tracepoint", "rawtracepoint", "kprobe", "fentry", "uprobe", "usdt", "iter", "hardware", "watchpoint")


def info_text(facts: HostFacts, version: str) -> str:
    system = os.uname()
    lines = [
        "System",
        f"  OS: {system.sysname} {system.release} {system.version}",
        f"  Arch: {system.machine}",
        "",
        "Build",
        f"  version: {version}",
        "",
        "Kernel helpers",
        *(f"  {name}: {_yes(facts.helper(name))}" for name in _HELPERS),
        "",
        "Kernel features",
        f"  btf: {_yes(facts.btf is not None)}",
        "",
        "Probe types",
        *(f"  {name}: {_why(facts.unsupported(name))}" for name in _PROVIDERS),
        "",
    ]
    return "".join(f"{line}\n" for line in lines)


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def _why(refusal: str) -> str:
    return f"no ({refusal})" if refusal else "yes"
