"""Byte code by C text: the second agent for the same program attaches without a compiler. Lost without harm.

The text holds everything that shapes the byte code (offsets included, targets not): it is the key, together with the
versions of the compiler and of the header tree.
"""

import os

from tracejob_agent.bpf.header_tree import tree_version
from tracejob_agent.bpf.libbcc import LIBRARY
from tracejob_agent.kernel.cache import keep_entry, read_entry

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_FOLDERS = ("/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib")


def cached_code(c_source: str) -> dict[str, bytes] | None:
    """By function."""
    found: Any = read_entry("code", _key(c_source))
    return dict(found) if found is not None else None


def keep_code(c_source: str, functions: dict[str, bytes]) -> None:
    keep_entry("code", _key(c_source), functions)


def _key(c_source: str) -> str:
    return f"{_compiler_version()}\0{tree_version()}\0{c_source}"


def _compiler_version() -> str:
    """Of libbcc, without loading it: where its name leads to, and when that was written."""
    for folder in _FOLDERS:
        try:
            path = os.path.realpath(f"{folder}/{LIBRARY}", strict=True)
            status = os.stat(path)
        except OSError:
            continue
        return f"{path} {status.st_size} {status.st_mtime_ns}"
    return "unknown"
