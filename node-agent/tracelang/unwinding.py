"""The tables that dw_ustack() walks a stack by: what code generation and the engine agree on.

rows: ARRAY of ROW: from that address of its file on, the caller's frame begins `frame` bytes behind `base`, and the
caller's bp is at `saved` from there (0: still in the register). processes: HASH pid -> {u64 count, REGION[count]}.
"""

from __future__ import annotations

import struct
from enum import IntEnum

ROW = struct.Struct("<IiiI")  # address, frame, saved, base
REGION = struct.Struct("<QQQII")  # start, end, bias, first row, rows
REGIONS = 256
REGION_STEPS = 8
ROWS = 1 << 19
ROW_STEPS = 20
PROCESSES = 64

AVAILABLE = "__unwind"
"""Among CompileOptions.named: whoever starts the session fills the tables."""


class Base(IntEnum):
    """What the caller's frame is counted from."""

    UNKNOWN = 0  # the stack ends here, or goes on in a way that no row says
    SP = 1
    BP = 2
    PLT = 3  # sp, and 8 more behind the push of a procedure linkage table's entry
