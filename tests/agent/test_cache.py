"""The folder for what is expensive to find out: ours alone, bounded, and nothing in it is believed that isn't whole."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from tracejob_agent.kernel.cache import cache_folder, keep_entry, read_entry


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TRACEJOB_CACHE", str(tmp_path / "cache"))
    (tmp_path / "cache").mkdir(mode=0o755)
    return tmp_path / "cache"


def test_a_folder_that_others_may_read_is_closed_to_them(folder: Path) -> None:
    assert cache_folder() == str(folder)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder to somebody else")
def test_a_folder_of_somebody_else_is_not_believed(folder: Path) -> None:
    os.chown(folder, 65534, 65534)
    assert cache_folder() is None
    keep_entry("plan", "key", 1)
    assert read_entry("plan", "key") is None


def test_an_entry_is_what_was_kept_under_the_whole_key(folder: Path) -> None:
    keep_entry("plan", "key", {"a": b"1"})
    assert read_entry("plan", "key") == {"a": b"1"}
    (entry,) = folder.iterdir()
    keep_entry("plan", "other", 2)
    (other,) = set(folder.iterdir()) - {entry}
    other.replace(entry)  # as when two keys fall on one name
    assert read_entry("plan", "key") is None


def test_a_damaged_entry_is_none(folder: Path) -> None:
    keep_entry("plan", "key", "content")
    (entry,) = folder.iterdir()
    entry.write_bytes(entry.read_bytes()[:-1])
    assert read_entry("plan", "key") is None


def test_the_oldest_entries_go_and_so_does_what_was_never_finished(folder: Path) -> None:
    keep_entry("plan", "key 0", 0)
    (oldest,) = folder.iterdir()
    os.utime(oldest, (1, 1))
    for number in range(1, 260):
        keep_entry("plan", f"key {number}", number)
    left_behind, in_the_making = folder / ".new-1-plan-0", folder / ".new-2-plan-0"
    left_behind.touch()
    os.utime(left_behind, (1, 1))
    in_the_making.touch()
    keep_entry("plan", "the last", 0)
    assert len(list(folder.glob("plan-*"))) == 256
    assert read_entry("plan", "key 0") is None
    assert read_entry("plan", "the last") == 0
    assert not left_behind.exists()
    assert in_the_making.exists()
