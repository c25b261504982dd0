"""Paths inside a target's root folder: a container's symbolic links lead nowhere else than it sees itself."""

from __future__ import annotations

from pathlib import Path


def resolve_inside(path: str, root: Path) -> Path:
    """The agent's path of a target's path; symbolic links are followed inside the root, never out of it."""
    if root == Path("/"):
        return Path(path)
    current = root
    parts = [part for part in path.split("/") if part not in ("", ".")]
    for _ in range(256):
        if not parts:
            return current
        part = parts.pop(0)
        if part == "..":
            current = current.parent if current != root else root
            continue
        following = current / part
        try:
            if following.is_symlink():
                link = str(following.readlink())
                current = root if link.startswith("/") else current
                parts = [item for item in link.split("/") if item not in ("", ".")] + parts
                continue
        except OSError:
            return following
        current = following
    return current
