"""Where instructions begin: machine code in, whether an offset may carry a probe out.

A probe inside of an instruction would break every process that runs the file. LLVM knows the lengths of x86's
instructions, and it is there wherever bcc is; it is loaded only for a probe with an offset.
"""

from __future__ import annotations

import ctypes
from functools import cache
from pathlib import Path

_FOLDERS = ("/usr/lib/x86_64-linux-gnu", "/usr/lib64", "/usr/lib")
_TARGET_PARTS = ("TargetInfo", "Target", "TargetMC", "Disassembler")
_TRIPLE = b"x86_64-linux-gnu"


def is_boundary(code: bytes, offset: int) -> bool | None:
    """Whether an instruction begins at `offset` of `code`, which begins with one. None: it can't be told here."""
    if offset == 0:
        return True
    library = _llvm()
    if library is None:
        return None
    context = library.LLVMCreateDisasm(_TRIPLE, None, 0, None, None)
    if not context:
        return None
    try:
        text = ctypes.create_string_buffer(128)
        buffer = ctypes.create_string_buffer(code, len(code))
        position = 0
        while position < offset:
            length = library.LLVMDisasmInstruction(
                context, ctypes.byref(buffer, position), len(code) - position, position, text, len(text)
            )
            if not length:
                return None
            position += length
        return position == offset
    finally:
        library.LLVMDisasmDispose(context)


@cache
def _llvm() -> ctypes.CDLL | None:
    for folder in _FOLDERS:
        for path in sorted(Path(folder).glob("libLLVM*.so.*")):
            try:
                library = ctypes.CDLL(str(path))
                for part in _TARGET_PARTS:
                    getattr(library, f"LLVMInitializeX86{part}")()
            except (OSError, AttributeError):
                continue
            library.LLVMCreateDisasm.restype = ctypes.c_void_p
            library.LLVMDisasmInstruction.restype = ctypes.c_size_t
            library.LLVMDisasmInstruction.argtypes = [
                ctypes.c_void_p,
                ctypes.c_void_p,
                ctypes.c_uint64,
                ctypes.c_uint64,
                ctypes.c_void_p,
                ctypes.c_size_t,
            ]
            library.LLVMDisasmDispose.argtypes = [ctypes.c_void_p]
            return library
    return None
