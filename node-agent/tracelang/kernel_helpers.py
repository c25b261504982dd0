"""BPF helpers that the language needs and older kernels lack: by name, with the Linux that brought each.

The kernel's type information lists its helpers (Facts.helper). What came without a helper of its own is told by one of
the same release.
"""

from __future__ import annotations

from tracelang.facts import Facts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

SINCE: Final = {
    "bpf_for_each_map_elem": "5.13",
    "bpf_loop": "5.17",
}
OF_LINUX_5_11: Final = "bpf_get_current_task_btf"
OF_LINUX_5_12: Final = "bpf_check_mtu"
OF_LINUX_6_1: Final = "bpf_user_ringbuf_drain"

OLD_KEY_BYTES: Final = 512
"""What a map's key holds at most before 5.11 (commit 7b04d6d60fcf)."""
OLD_STRING_BYTES: Final = 200
"""The default size of strings there: two fit into a key."""

PLAIN_TURNS: Final = 512
INNER_PLAIN_TURNS: Final = 32
"""How often a loop without bpf_loop() runs at most, one inside of another: the verifier walks through every turn, and
gives up after a million instructions."""


def has_long_keys(facts: Facts) -> bool:
    return facts.helper(OF_LINUX_5_11)


def has_atomic_fetch(facts: Facts) -> bool:
    """Whether an atomic addition gives the old number too (commit 5ca419f2864a)."""
    return facts.helper(OF_LINUX_5_12)


def lack(facts: Facts, helper: str, *, what: str) -> str:
    """Why `what` can't be done on this kernel; "" when it can."""
    if facts.helper(helper):
        return ""
    return f"{what} takes {helper}(), which Linux has since {SINCE[helper]}: this kernel doesn't have it"
