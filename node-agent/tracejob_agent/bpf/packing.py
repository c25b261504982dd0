"""Byte code by function name as one string of bytes, and back: for the pipe from the compiler, and for the cache."""

import struct


def pack(functions: dict[str, bytes]) -> bytes:
    parts = []
    for name, code in functions.items():
        encoded = name.encode()
        parts.append(struct.pack("<II", len(encoded), len(code)) + encoded + code)
    return b"".join(parts)


def unpack(data: memoryview) -> dict[str, bytes]:
    functions = {}
    position = 0
    while position < len(data):
        name_size, code_size = struct.unpack_from("<II", data, position)
        name_end = position + 8 + name_size
        position = name_end + code_size
        functions[bytes(data[name_end - name_size : name_end]).decode()] = bytes(data[name_end:position])
    return functions
