"""Numbers that stand in the C text for what only the loader knows; see ProgramSpec and MapRole.

Part of the start: nothing may be imported here that takes long (docs/decisions/0002-direct-start.md).
"""

KFUNC_BASE = 0x10000
"""A call to helper number KFUNC_BASE + i is one to kernel function i of the program."""


class Constant:
    """Slots of the CONSTANTS map: what the byte code must not hold, so that it can be cached."""

    START = 0  # boot-clock nanoseconds at the session's start
    SW_TAI_OFFSET = 1  # nanoseconds to add to the boot clock for nsecs(sw_tai)
    CHILD_PID = 2  # the process that -c started
    SCOPE_GENERATION = 3  # grows with every change of the target's cgroups
    ENDED = 4  # not 0 once a clock's program called exit(): those that may don't run again


CONSTANT_SLOTS = 8
"""How many that map has room for."""
