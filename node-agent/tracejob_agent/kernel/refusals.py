"""Why the kernel refused something, as far as the machine tells: what an administrator can do about it.

Comes in: an error number; goes out: a sentence to put behind the error's own words, or nothing.
"""

from __future__ import annotations

import errno
import os
import re
import resource

from tracelang.structs import Struct

_LOCKDOWN = "/sys/kernel/security/lockdown"
_BPF, _PERFMON, _SYS_ADMIN = 1 << 39, 1 << 38, 1 << 21
_MAPS_COUNTED_UNTIL = (5, 11)
"""Maps were charged to RLIMIT_MEMLOCK before (kernel commit 3ac1f01b43b6)."""

NO_BTF = (
    "this kernel has no type information (/sys/kernel/btf/vmlinux): "
    "it takes a kernel that is built with CONFIG_DEBUG_INFO_BTF, as distributions' have been since 2021"
)

NO_TRACEFS = "tracefs isn't mounted here and can't be: on the node, mount -t tracefs nodev /sys/kernel/tracing"


class Circumstances(Struct, frozen=True):
    """lockdown: "none", "integrity", "confidentiality" or "". limits: -1: there is none."""

    lockdown: str
    capabilities: int
    open_files: int
    locked_memory: int
    release: tuple[int, int]
    in_user_namespace: bool


def refusal_hint(number: int | None) -> str:
    """ " (...)" or "", to be put behind strerror."""
    sentence = explain(number, circumstances())
    return f" ({sentence})" if sentence else ""


def explain(number: int | None, found: Circumstances) -> str:
    match number:
        case errno.EPERM | errno.EACCES:
            return _not_permitted(found)
        case errno.EMFILE:
            return f"this process may have {found.open_files} files open: raise the hard limit, ulimit -Hn"
    return ""


def _not_permitted(found: Circumstances) -> str:
    if not found.capabilities & _SYS_ADMIN and not found.capabilities & _BPF:
        return "the agent has neither CAP_BPF nor CAP_SYS_ADMIN: run it as root, in a privileged container"
    if not found.capabilities & (_SYS_ADMIN | _PERFMON):
        return "the agent has neither CAP_PERFMON nor CAP_SYS_ADMIN: run it as root, in a privileged container"
    if found.in_user_namespace:
        return "the agent is in a user namespace, as of rootless containers, whose root isn't the node's"
    if found.lockdown not in ("", "none"):
        return f"the kernel is locked down ({found.lockdown}): boot with lockdown=none, or without secure boot"
    if found.locked_memory >= 0 and found.release < _MAPS_COUNTED_UNTIL:
        return f"this process may lock {found.locked_memory} bytes: raise the limit, ulimit -Hl"
    return "a security module or a policy of this machine may forbid it"


def circumstances() -> Circumstances:
    chosen = re.search(r"\[(\w+)\]", _text(_LOCKDOWN))
    numbers = re.findall(r"\d+", os.uname().release)
    status = re.search(r"^CapEff:\s*([0-9a-f]+)", _text("/proc/self/status"), re.MULTILINE)
    users = _text("/proc/self/uid_map").split()
    return Circumstances(
        lockdown=chosen[1] if chosen else "",
        capabilities=int(status[1], 16) if status else -1,
        open_files=resource.getrlimit(resource.RLIMIT_NOFILE)[0],
        locked_memory=resource.getrlimit(resource.RLIMIT_MEMLOCK)[0],
        release=(int(numbers[0]), int(numbers[1])),
        in_user_namespace=bool(users) and users != ["0", "0", str((1 << 32) - 1)],
    )


def _text(path: str) -> str:
    try:
        with open(path) as file:
            return file.read()
    except OSError:
        return ""
