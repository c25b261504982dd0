"""The smallest type information that lets a program have callbacks: names in, BTF and func_info bytes out. Pure.

The kernel takes a callback only when BTF says that it is a function of static linkage (verifier, "callback function not
static", since 5.13). bcc's own BTF isn't asked: it describes the sections that bcc made.
"""

import struct

RECORD_SIZE = 8
_MAGIC = 0xEB9F
_HEADER_SIZE = 24
_INT, _FUNC, _FUNC_PROTO = 1, 12, 13
_INT_SIGNED_32 = 1 << 24 | 32
_INT_ID, _PROTO_ID, _FIRST_FUNC_ID = 1, 2, 3


def btf_blob(names: list[str]) -> bytes:
    """BTF with `int name()` of static linkage for each name; their type ids count from 3."""
    strings = bytearray(b"\0int\0")
    types = bytearray(struct.pack("<IIII", 1, _INT << 24, 4, _INT_SIGNED_32))
    types += struct.pack("<III", 0, _FUNC_PROTO << 24, _INT_ID)
    for name in names:
        types += struct.pack("<III", len(strings), _FUNC << 24, _PROTO_ID)
        strings += name.encode() + b"\0"
    header = struct.pack("<HBBIIIII", _MAGIC, 1, 0, _HEADER_SIZE, 0, len(types), len(types), len(strings))
    return header + bytes(types) + bytes(strings)


def func_info(starts: list[int]) -> bytes:
    """`struct bpf_func_info` for functions that begin at these instructions, in the order of btf_blob's names."""
    return b"".join(struct.pack("<II", start, _FIRST_FUNC_ID + index) for index, start in enumerate(starts))
