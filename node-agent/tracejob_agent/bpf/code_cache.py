"""Byte code by C text: the second agent for the same program attaches without a compiler. Lost without harm.

The text holds everything that shapes the byte code (offsets included, targets not), so that its hash is the key,
together with the versions of the compiler and of the header tree.
"""

from __future__ import annotations

import contextlib
import hashlib
from functools import cache
from pathlib import Path

from tracejob_agent.bpf.header_tree import tree_version
from tracejob_agent.bpf.packing import pack, unpack
from tracejob_agent.kernel.cache import cache_folder, read_cached, write_cached

_PREFIX = "code-"
_MOST_FILES = 256
_MAGIC = b"tjcode1\0"


def code_key(c_source: str) -> str:
    """The cache's key for a text."""
    digest = hashlib.sha256(f"{_compiler_version()}\0{tree_version()}\0{c_source}".encode())
    return f"{_PREFIX}{digest.hexdigest()[:40]}"


def cached_code(key: str) -> dict[str, bytes] | None:
    data = read_cached(key)
    if data is None or not data.startswith(_MAGIC):
        return None
    body = data[len(_MAGIC) + 32 :]
    if hashlib.sha256(body).digest() != data[len(_MAGIC) : len(_MAGIC) + 32]:
        return None  # cut short by a full disk, or worse
    return unpack(memoryview(body))


def keep_code(key: str, functions: dict[str, bytes]) -> None:
    body = pack(functions)
    write_cached(key, _MAGIC + hashlib.sha256(body).digest() + body)
    _forget_oldest()


def _forget_oldest() -> None:
    folder = cache_folder()
    if folder is None:
        return
    with contextlib.suppress(OSError):
        for prefix in (_PREFIX, "plan-"):
            files = sorted(folder.glob(f"{prefix}*"), key=lambda path: path.stat().st_mtime)
            for path in files[:-_MOST_FILES]:
                path.unlink(missing_ok=True)


@cache
def _compiler_version() -> str:
    """Of libbcc, without loading it: where its name leads to, and when that was written."""
    for folder in ("/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib"):
        path = Path(folder) / "libbcc.so.0"
        with contextlib.suppress(OSError):
            found = path.resolve(strict=True)
            status = found.stat()
            return f"{found.name} {status.st_size} {status.st_mtime_ns}"
    return "unknown"
