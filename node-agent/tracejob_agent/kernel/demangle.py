"""C++ names: "_ZN3foo3barEi" -> "foo::bar(int)", by the C++ library's own demangler where there is one."""

from __future__ import annotations

import ctypes
from functools import cache


@cache
def _library() -> tuple[ctypes.CDLL, ctypes.CDLL] | None:
    try:
        cxx = ctypes.CDLL("libstdc++.so.6")
    except OSError:
        return None
    cxx.__cxa_demangle.restype = ctypes.c_void_p
    cxx.__cxa_demangle.argtypes = [ctypes.c_char_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p]
    libc = ctypes.CDLL(None)
    libc.free.argtypes = [ctypes.c_void_p]
    return cxx, libc


@cache
def demangle(name: str) -> str:
    """The readable name; the name itself when it isn't C++'s."""
    libraries = _library() if name.startswith("_Z") else None
    if libraries is None:
        return name
    cxx, libc = libraries
    status = ctypes.c_int()
    result = cxx.__cxa_demangle(name.encode(), None, None, ctypes.byref(status))
    if not result:
        return name
    try:
        return ctypes.string_at(result).decode("utf-8", "replace")
    finally:
        libc.free(result)
