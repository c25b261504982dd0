"""Symbols of stripped binaries: beside the binary, by build id, packed inside, in Go's table; not of other builds."""

from __future__ import annotations

import lzma
import shutil
import subprocess
from pathlib import Path

import pytest

from tracejob_agent.kernel.debug_files import debug_file, embedded_symbols
from tracejob_agent.kernel.elf import Elf
from tracejob_agent.output.symbol_index import SymbolIndex

SOURCE = (
    "__attribute__((noinline)) int shop_work(int n) {{ return n * {factor}; }} int main() {{ return shop_work(3); }}"
)


def build(folder: Path, *, factor: int = 7, build_id: bool = True) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "work.c").write_text(SOURCE.format(factor=factor))
    identity = "-Wl,--build-id=sha1" if build_id else "-Wl,--build-id=none"
    subprocess.run(["gcc", "-O1", "-g", identity, "-o", folder / "work", folder / "work.c"], check=True)
    return folder / "work"


def split(binary: Path, debug: Path, *, link: bool = False) -> Path:
    """The symbols into `debug`, and out of the binary; its path. link: the binary names the file."""
    debug.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["objcopy", "--only-keep-debug", binary, debug], check=True)
    more = [f"--add-gnu-debuglink={debug}"] if link else []
    subprocess.run(["objcopy", "--strip-all", *more, binary], check=True)
    return binary


def place_of(binary: Path) -> int:
    """Where shop_work begins in the file; to be asked before it is stripped."""
    elf = Elf(binary)
    symbol = elf.find_symbol("shop_work")
    assert symbol is not None
    offset = elf.file_offset(symbol.address)
    assert offset is not None
    return offset


def name_at(binary: Path, place: int, root: Path) -> str:
    found = SymbolIndex(binary, root).resolve(place + 1)
    return found[0] if found else ""


def test_a_stripped_binary_has_no_name_and_its_debug_file_by_build_id_gives_it(tmp_path: Path) -> None:
    root = tmp_path / "root"
    binary = build(root / "opt")
    place, identity = place_of(binary), Elf(binary).build_id
    split(binary, tmp_path / "work.debug")
    assert name_at(binary, place, root) == ""
    found = root / "usr/lib/debug/.build-id" / identity[:2] / f"{identity[2:]}.debug"
    found.parent.mkdir(parents=True)
    shutil.copy(tmp_path / "work.debug", found)
    assert name_at(binary, place, root) == "shop_work"


def test_debug_files_are_not_looked_for_in_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    binary = build(tmp_path / "opt")
    identity = Elf(binary).build_id
    split(binary, tmp_path / f"usr/lib/debug/.build-id/{identity[:2]}/{identity[2:]}.debug")
    monkeypatch.chdir(tmp_path)
    assert debug_file(Elf(binary), Path("/")) is None
    assert debug_file(Elf(binary), tmp_path) is not None


@pytest.mark.parametrize("where", ["opt", "opt/.debug", "usr/lib/debug/opt"])
def test_a_debug_link_is_followed_to_each_of_its_places(tmp_path: Path, where: str) -> None:
    root = tmp_path / "root"
    binary = build(root / "opt", build_id=False)
    place = place_of(binary)
    split(binary, root / where / "work.debug", link=True)
    assert Elf(binary).debug_link == "work.debug"
    assert name_at(binary, place, root) == "shop_work"


def test_the_debug_file_of_another_build_is_not_taken(tmp_path: Path) -> None:
    root = tmp_path / "root"
    for build_id in (True, False):
        folder = root / f"opt{build_id}"
        binary = build(folder, build_id=build_id)
        place = place_of(binary)
        split(binary, folder / "work.debug", link=True)
        assert debug_file(Elf(binary), root) is not None
        other = build(tmp_path / "other", factor=9, build_id=build_id)
        split(other, folder / "work.debug")
        assert debug_file(Elf(binary), root) is None
        assert name_at(binary, place, root) == ""


def test_a_link_that_leads_out_of_the_container_stays_inside(tmp_path: Path) -> None:
    root = tmp_path / "root"
    binary = build(root / "opt", build_id=False)
    split(binary, tmp_path / "outside" / "work.debug", link=True)
    (root / "opt" / "work.debug").symlink_to(tmp_path / "outside" / "work.debug")
    assert debug_file(Elf(binary), root) is None


def test_symbols_that_are_packed_into_the_binary(tmp_path: Path) -> None:
    binary = build(tmp_path / "opt")
    place = place_of(binary)
    split(binary, tmp_path / "work.debug")
    packed = tmp_path / "packed"
    packed.write_bytes(lzma.compress((tmp_path / "work.debug").read_bytes()))
    subprocess.run(["objcopy", f"--add-section=.gnu_debugdata={packed}", binary], check=True)
    assert name_at(binary, place, tmp_path) == "shop_work"
    packed.write_bytes(b"not compressed")
    subprocess.run(["objcopy", f"--update-section=.gnu_debugdata={packed}", binary], check=True)
    assert embedded_symbols(Elf(binary)) is None
    assert name_at(binary, place, tmp_path) == ""


def test_a_pipe_in_place_of_a_debug_file_holds_nobody_up(tmp_path: Path) -> None:
    import os

    binary = build(tmp_path / "opt", build_id=False)
    split(binary, tmp_path / "opt" / "work.debug", link=True)
    (tmp_path / "opt" / "work.debug").unlink()
    os.mkfifo(tmp_path / "opt" / "work.debug")
    assert debug_file(Elf(binary), tmp_path) is None


GO = """package main
type Till struct{ n int }
//go:noinline
func (t *Till) Sell(n int) int { return t.n * n }
func main() { println((&Till{3}).Sell(4)) }
"""


@pytest.mark.skipif(shutil.which("go") is None, reason="needs Go")
def test_a_stripped_go_binary_has_its_names_in_its_own_table(tmp_path: Path) -> None:
    import os

    (tmp_path / "main.go").write_text(GO)
    environment = os.environ | {"GO111MODULE": "off", "CGO_ENABLED": "0", "GOFLAGS": ""}
    for name, flags in (("whole", ""), ("bare", "-s -w")):
        command = ["go", "build", "-o", tmp_path / name, f"-ldflags={flags}", "main.go"]
        subprocess.run(command, cwd=tmp_path, env=environment, check=True)
    whole, bare = Elf(tmp_path / "whole"), Elf(tmp_path / "bare")
    assert bare.section(".symtab") is None
    index = SymbolIndex(tmp_path / "bare", Path("/"))
    for function in ("main.(*Till).Sell", "main.main", "runtime.mallocgc"):
        symbol = whole.find_symbol(function)
        assert symbol is not None
        place = bare.file_offset(symbol.address)
        assert place is not None
        assert index.resolve(place + 1) == (function, 1)
