"""What the user is told once everything is attached.

Part of the start: nothing may be imported here that takes long (docs/decisions/0002-direct-start.md).
"""

NOTIFICATION = "__BPFTRACE_NOTIFY_PROBES_ATTACHED"
"""Printed when the environment has a variable of this name: what waits for bpftrace waits for this line."""


def attached_notice(places: int) -> str:
    return f"Attached {places} probe{'' if places == 1 else 's'}"
