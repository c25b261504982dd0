"""--info: what this machine and its kernel offer."""

from __future__ import annotations

import os
from pathlib import Path

from tracejob_agent.kernel.host_facts import HostFacts

_COLUMN = 33


def info_text(facts: HostFacts, version: str) -> str:
    """In bpftrace's own layout: scripts look for `name: yes` in it."""
    system = os.uname()
    kprobes = not facts.unsupported("kprobe")
    lines = [
        "System",
        f"  OS: {system.sysname} {system.release} {system.version}",
        f"  Arch: {system.machine}",
        "",
        "Build",
        f"  version: {version}",
        "  libdw (DWARF support): yes",
        "  libsystemd (systemd notify support): no",
        "  blazesym (advanced symbolization): no",
        "  dwunwind (DWARF stack unwinding): yes",
        "",
        "Kernel helpers",
        *_pairs(
            dpath=facts.helper("d_path") and not facts.unsupported("fentry"),
            get_tai_ns=facts.helper("ktime_get_tai_ns"),
            get_func_ip=facts.helper("get_func_ip"),
            lookup_percpu_elem=facts.helper("map_lookup_percpu_elem"),
            loop=facts.helper("loop"),
        ),
        "",
        "Kernel features",
        *_pairs(btf=facts.btf is not None, module_btf=Path("/sys/kernel/btf").is_dir() and _has_module_types()),
        "",
        "Probe types",
        *_pairs(
            kprobe=kprobes,
            kprobe_multi=kprobes and facts.helper("get_attach_cookie"),
            uprobe=not facts.unsupported("uprobe"),
            uprobe_multi=facts.link_type("UPROBE_MULTI"),
            fentry=not facts.unsupported("fentry"),
            kprobe_session=False,
            iter=not facts.unsupported("iter"),
            hardware=not facts.unsupported("hardware"),
            watchpoint=not facts.unsupported("watchpoint"),
        ),
        "",
        *(f"  {name} probes: {refusal}" for name in _EXPLAINED if (refusal := facts.unsupported(name))),
    ]
    return "".join(f"{line}\n" for line in lines)


_EXPLAINED = ("kprobe", "fentry", "uprobe", "iter", "hardware", "watchpoint")


def _has_module_types() -> bool:
    return any(item.name != "vmlinux" for item in Path("/sys/kernel/btf").iterdir())


def _pairs(**answers: bool) -> list[str]:
    """Two columns."""
    cells = [
        f"{name.replace('module_btf', 'module btf')}: {'yes' if answer else 'no'}" for name, answer in answers.items()
    ]
    rows = [cells[index : index + 2] for index in range(0, len(cells), 2)]
    return ["  " + "".join(cell.ljust(_COLUMN) for cell in row).rstrip() for row in rows]
