"""Names of compilers made readable: C++, Rust, Go.

_ZN3foo3barEi -> foo::bar(int)     by the C++ library's own demangler, where there is one
_RNvC4shop4work -> shop::work      by rust_names
gopkg.in/yaml%2ev3.Unmarshal -> gopkg.in/yaml.v3.Unmarshal
"""

from __future__ import annotations

import ctypes
import re
from functools import cache, lru_cache

from tracejob_agent.kernel.rust_names import demangle_rust

_MOST_KEPT = 1 << 14
_GO_ESCAPE = re.compile(r"%([2-7][0-9a-f])")


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


@lru_cache(_MOST_KEPT)
def demangle(name: str) -> str:
    """The readable name; the name itself when there is no other."""
    if name.startswith(("_R", "_ZN")):
        rust = demangle_rust(name)
        if rust is not None:
            return rust
    if name.startswith("_Z"):
        return _demangle_cpp(name)
    # Go writes dots in the last part of an import path, which would end it, as numbers.
    return _GO_ESCAPE.sub(lambda match: chr(int(match[1], 16)), name) if "%" in name and "." in name else name


def _demangle_cpp(name: str) -> str:
    libraries = _library()
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
