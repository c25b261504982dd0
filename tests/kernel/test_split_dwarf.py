"""Debugging information outside of the binary: in a .dwo file, or in a .dwp package under the unit's id."""

from __future__ import annotations

import struct
import subprocess
from pathlib import Path

import pytest

from tracejob_agent.kernel.dwarf import DwarfTypes
from tracejob_agent.kernel.elf import Elf
from tracelang.types import AddressSpace, IntType, PointerType, StructType

pytestmark = pytest.mark.kernel
SOURCE = """
struct box { int left, right; };
__attribute__((noinline)) int weigh(struct box *it, char mark) { return it->right + mark; }
int main(void) { struct box b = {3, 4}; return weigh(&b, 1) - 5; }
"""
COLUMNS = {1: "info", 3: "abbrev", 5: "loclists", 6: "str_offsets"}


@pytest.fixture
def binary(tmp_path: Path) -> Path:
    (tmp_path / "a.c").write_text(SOURCE)
    subprocess.run(["gcc", "-g", "-O2", "-gdwarf-5", "-gsplit-dwarf", "-o", "a", "a.c"], cwd=tmp_path, check=True)
    return tmp_path / "a"


def dwo_of(binary: Path) -> Path:
    return next(binary.parent.glob("*.dwo"))


def package(binary: Path, *, identifier: int) -> None:
    """What dwp makes of one unit: its file, with an index."""
    elf = Elf(dwo_of(binary))
    sizes = [section.size if (section := elf.section(f".debug_{name}.dwo")) else 0 for name in COLUMNS.values()]
    index = struct.pack("<HHIII", 5, 0, len(COLUMNS), 1, 2)
    index += struct.pack("<QQII", 0, identifier, 0, 1)
    index += struct.pack("<4I4I4I", *COLUMNS, 0, 0, 0, 0, *sizes)
    (binary.parent / "index").write_bytes(index)
    command = ["objcopy", "--add-section", ".debug_cu_index=index", dwo_of(binary).name, "a.dwp"]
    subprocess.run(command, cwd=binary.parent, check=True)
    dwo_of(binary).unlink()


def identifier_of(binary: Path) -> int:
    """The unit's id stands behind its header: length, version, type, address size, abbreviations."""
    elf = Elf(dwo_of(binary))
    section = elf.section(".debug_info.dwo")
    assert section is not None
    return int(struct.unpack_from("<Q", elf.bytes_of(section), 12)[0])


def assert_is_read(binary: Path) -> None:
    types = DwarfTypes(binary)
    signature = types.function("weigh")
    assert signature is not None
    assert [(item.name, item.type) for item in signature.parameters] == [
        ("it", PointerType(StructType("struct box", 8), AddressSpace.USER)),
        ("mark", IntType(8, signed=True)),
    ]
    layout = types.struct("struct box")
    assert layout is not None
    assert layout.members["right"].offset == 4


def test_unit_is_found_in_its_own_file(binary: Path) -> None:
    assert_is_read(binary)


def test_unit_is_found_beside_the_binary_when_both_moved(binary: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    dwo_of(binary).rename(elsewhere / dwo_of(binary).name)
    assert_is_read(binary.rename(elsewhere / "a"))


def test_unit_is_found_in_a_package(binary: Path) -> None:
    package(binary, identifier=identifier_of(binary))
    assert_is_read(binary)


def test_package_of_another_build_is_not_taken(binary: Path) -> None:
    package(binary, identifier=identifier_of(binary) ^ 1)
    assert DwarfTypes(binary).function("weigh") is None


def test_without_the_file_nothing_is_known(binary: Path) -> None:
    dwo_of(binary).unlink()
    assert DwarfTypes(binary).function("weigh") is None
