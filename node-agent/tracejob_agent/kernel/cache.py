"""A folder for what is expensive to find out about this machine: bytes by key, lost without harm.

Root's is /var/cache/tracejob, a user's is ~/.cache/tracejob; TRACEJOB_CACHE names another ("" turns it off). A
folder that can't be written or that somebody else owns is as good as none.
Part of the start: nothing may be imported here that takes long (docs/decisions/0002-direct-start.md).
"""

import marshal
import os
import time
import zlib

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_MOST_ENTRIES = 256
_ABANDONED_SECONDS = 3600.0


def cache_folder() -> str | None:
    """The folder, made with mode 0700; None when there can't be one."""
    folder = os.environ.get("TRACEJOB_CACHE")
    if folder == "":
        return None
    if folder is None:
        if os.geteuid() == 0:
            folder = "/var/cache/tracejob"
        else:
            folder = f"{os.environ.get('XDG_CACHE_HOME') or os.path.expanduser('~/.cache')}/tracejob"
    try:
        os.makedirs(os.path.dirname(folder), exist_ok=True)
        os.mkdir(folder, mode=0o700)
    except OSError:
        pass  # there already, mostly
    try:
        found = os.stat(folder)
        # What lies here is believed: another user's folder is not ours to believe.
        if found.st_uid != os.geteuid():
            return None
        if found.st_mode & 0o077:  # kubelet makes a pod's folders readable by everybody
            os.chmod(folder, 0o700)
        return folder
    except OSError:
        return None


def read_cached(key: str) -> bytes | None:
    folder = cache_folder()
    if folder is None:
        return None
    try:
        with open(f"{folder}/{key}", "rb", buffering=0) as file:
            return file.readall()
    except OSError:
        return None


def write_cached(key: str, data: bytes) -> None:
    """Whole or not at all: written aside and renamed."""
    folder = cache_folder()
    if folder is None:
        return
    aside = f"{folder}/.new-{os.getpid()}-{key}"
    try:
        with open(aside, "xb", buffering=0) as file:
            file.write(data)
        os.rename(aside, f"{folder}/{key}")
    except OSError:
        try:
            os.unlink(aside)
        except OSError:
            pass


def read_entry(kind: str, key: str) -> object | None:
    """What keep_entry kept under this key."""
    data = read_cached(_entry_name(kind, key))
    if data is None or _sealed(data[4:]) != data:
        return None  # cut short by a full disk, or worse
    kept_key, content = marshal.loads(data[4:])  # the folder is ours alone
    found: object = content
    return found if kept_key == key else None


def keep_entry(kind: str, key: str, content: "Any") -> None:
    """`content`: of what marshal takes. Only the newest entries of a kind stay."""
    write_cached(_entry_name(kind, key), _sealed(marshal.dumps((key, content))))
    _forget_oldest(kind)


def _entry_name(kind: str, key: str) -> str:
    """Two keys with one name take turns in the file: the key stands in it whole."""
    return f"{kind}-{zlib.crc32(key.encode(errors='surrogateescape')):08x}"


def _sealed(data: bytes) -> bytes:
    return zlib.crc32(data).to_bytes(4, "little") + data


def _forget_oldest(kind: str) -> None:
    folder = cache_folder()
    if folder is None:
        return
    try:
        with os.scandir(folder) as entries:
            ages = sorted((item.stat().st_mtime, item.path) for item in entries if not item.is_dir())
        begun = [(age, path) for age, path in ages if "/.new-" in path]
        whole = [path for _, path in ages if f"/{kind}-" in path]
        # Of an agent that was killed while it wrote.
        abandoned = [path for age, path in begun if age < time.time() - _ABANDONED_SECONDS]
        for path in [*whole[:-_MOST_ENTRIES], *abandoned]:
            os.unlink(path)
    except OSError:
        pass  # another agent is at it
