"""Facts about this machine, held against other tools that know them: bpftool, nm, the kernel's own files."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tracejob_agent.kernel.btf_file import BtfFile, Kind, open_kernel_btf
from tracejob_agent.kernel.elf import Elf
from tracejob_agent.kernel.host_facts import HostFacts
from tracejob_agent.kernel.kallsyms import KernelSymbols
from tracelang.types import AddressSpace, IntType, PointerType, StringType, StructType

SOURCE = r"""
#include <stdlib.h>
#if __has_include(<sys/sdt.h>)
#include <sys/sdt.h>
#else
#define DTRACE_PROBE2(p, n, a, b)
#endif
struct inner { char tag; };
typedef struct { int low : 3; int high : 5; char name[8]; struct { long hidden; }; } item_t;
struct thing { item_t *item; struct thing *next; int grid[3][2]; struct inner in; };
__attribute__((noinline)) int work(struct thing *thing, int count, const char *text, double ratio, unsigned char flag) {
  DTRACE_PROBE2(shop, sale, count, text);
  return thing->grid[0][0] + count + text[0] + flag + (int)ratio;
}
int main(int argc, char **argv) { struct thing t = {0}; return work(&t, argc, argv[0], 1.0, 2) == 12345; }
"""


@pytest.fixture(scope="module")
def facts() -> HostFacts:
    return HostFacts()


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("program")
    (folder / "work.c").write_text(SOURCE)
    subprocess.run(["gcc", "-g", "-O1", "-o", folder / "work", folder / "work.c"], check=True)
    return folder / "work"


@pytest.mark.skipif(shutil.which("bpftool") is None, reason="no bpftool to compare with")
def test_offsets_of_a_kernel_struct_are_those_that_bpftool_shows(facts: HostFacts) -> None:
    assert facts.btf is not None
    record = facts.btf.btf.find("task_struct", Kind.STRUCT)
    assert record is not None
    command = ["bpftool", "-j", "btf", "dump", "file", "/sys/kernel/btf/vmlinux"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True)
    theirs = next(item for item in json.loads(shown.stdout)["types"] if item["id"] == record.id)
    layout = facts.struct("struct task_struct")
    assert layout is not None
    assert layout.size == theirs["size"]
    for member in theirs["members"]:
        if member["name"] != "(anon)":
            assert layout.members[member["name"]].bit_offset == member["bits_offset"], member["name"]


def test_the_index_from_the_cache_gives_the_same_records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    raw = Path("/sys/kernel/btf/vmlinux").read_bytes()
    fresh, cached = BtfFile(raw), open_kernel_btf()
    for name in ("task_struct", "pid", "sk_buff", "vfs_read"):
        assert list(fresh.ids_named(name)) == list(cached.ids_named(name))
    assert fresh.end_id == cached.end_id


def test_kernel_types_by_name(facts: HostFacts) -> None:
    layout = facts.struct("struct task_struct")
    assert layout is not None
    assert layout.members["comm"].type == StringType(16)
    assert layout.members["pid"].type == IntType(32, signed=True)
    parent = layout.members["real_parent"].type
    assert isinstance(parent, PointerType)
    assert parent.target == StructType("struct task_struct", layout.size)
    assert facts.type_named("unsigned long") == IntType(64, signed=False)
    assert facts.type_named("pid_t") == IntType(32, signed=True)
    established = facts.enum_value("TCP_ESTABLISHED")
    assert established is not None
    assert established[0] == 1
    assert facts.struct("struct no_such_struct") is None
    assert facts.enum_value("NO_SUCH_CONSTANT") is None


def test_arguments_of_a_raw_tracepoint_have_names_and_types(facts: HostFacts) -> None:
    signature = facts.raw_tracepoint("sched_switch")
    assert signature is not None
    by_name = {item.name: item for item in signature.parameters}
    assert by_name["prev"].register == 1
    task = by_name["next"].type
    assert isinstance(task, PointerType)
    assert isinstance(task.target, StructType)
    assert task.target.name == "struct task_struct"


def test_a_system_calls_pointers_are_user_space(facts: HostFacts) -> None:
    layout = facts.tracepoint("syscalls", "sys_enter_openat")
    assert layout is not None
    filename = layout.members["filename"].type
    assert isinstance(filename, PointerType)
    assert filename.space is AddressSpace.USER


def test_tracepoint_patterns_stand_for_what_the_kernel_lists(facts: HostFacts) -> None:
    found = {item.function for item in facts.locations("tracepoint", ("syscalls", "sys_enter_open*"))}
    events = Path("/sys/kernel/tracing/events/syscalls")
    assert found == {path.name for path in events.glob("sys_enter_open*")}
    assert facts.locations("tracepoint", ("sched", "no_such_event")) == ()
    assert facts.locations("tracepoint", ("..", "sched")) == ()


def test_kernel_symbols_resolve_both_ways() -> None:
    symbols = KernelSymbols()
    address = symbols.address_of("vfs_read")
    assert address is not None
    assert symbols.resolve(address + 5) == ("vfs_read", 5)
    assert symbols.resolve(4096) is None
    assert symbols.address_of("no_such_symbol_here") is None


def test_functions_of_a_binary_are_those_of_nm(program: Path) -> None:
    shown = subprocess.run(["nm", "--defined-only", program], capture_output=True, text=True, check=True).stdout
    theirs = {
        (parts[2], int(parts[0], 16)) for parts in (line.split() for line in shown.splitlines()) if parts[1] in "Tt"
    }
    ours = {(symbol.name, symbol.address) for symbol in Elf(program).symbols()}
    assert ours <= theirs
    assert {"work", "main"} <= {name for name, _ in ours}


def test_a_uprobe_stands_at_the_functions_place_in_the_file(facts: HostFacts, program: Path) -> None:
    (location,) = facts.locations("uprobe", (str(program), "work"))
    symbol = Elf(program).find_symbol("work")
    assert symbol is not None
    (by_address,) = facts.locations("uprobe", (str(program), hex(symbol.address)))
    (moved,) = facts.locations("uprobe", (str(program), "work+4"))
    assert location.address == by_address.address == moved.address - 4
    assert location.name == f"uprobe:{program}:work"
    assert by_address.function == "work"
    assert facts.locations("uprobe", (str(program), f"work+{symbol.size + 100}")) == ()
    assert {item.function for item in facts.locations("uprobe", (str(program), "wor*"))} == {"work"}


def test_signatures_come_from_the_binarys_debugging_information(facts: HostFacts, program: Path) -> None:
    signature = facts.user_function(str(program), "work")
    assert signature is not None
    registers = {item.name: item.register for item in signature.parameters}
    # A double travels in a vector register and takes none of the integer ones.
    assert registers == {"thing": 0, "count": 1, "text": 2, "ratio": -1, "flag": 3}


def test_structs_come_from_the_binarys_debugging_information(facts: HostFacts, program: Path) -> None:
    item = facts.user_struct(str(program), "item_t")
    assert item is not None
    assert (item.members["high"].bit_offset, item.members["high"].bit_size) == (3, 5)
    assert item.members["name"].type == StringType(8)
    assert item.members["hidden"].offset == 16  # of an anonymous struct inside


@pytest.mark.skipif(not Path("/usr/include/x86_64-linux-gnu/sys/sdt.h").exists(), reason="needs sys/sdt.h")
def test_usdt_probes_are_found_with_their_arguments(facts: HostFacts, program: Path) -> None:
    (location,) = facts.locations("usdt", (str(program), "", "sale"))
    assert location.name == f"usdt:{program}:shop:sale"
    assert [argument.size for argument in location.usdt_arguments] == [4, 8]
    (same,) = facts.locations("usdt", (str(program), "sh*", "s*"))
    assert same == location


def test_paths_are_looked_up_inside_the_targets_root(tmp_path: Path, program: Path) -> None:
    root = tmp_path / "root"
    (root / "opt").mkdir(parents=True)
    shutil.copy(program, root / "opt" / "work")
    (root / "bin").symlink_to("/opt")  # absolute, as containers have them: it must not lead out
    inside = HostFacts(roots=(root,))
    (location,) = inside.locations("uprobe", ("/bin/work", "work"))
    assert location.target == str(root / "opt/work")
    assert location.name == "uprobe:/bin/work:work"
    assert inside.locations("uprobe", (str(program), "work")) == ()


def test_a_file_that_two_roots_share_is_attached_once(tmp_path: Path, program: Path) -> None:
    roots = tuple(tmp_path / name for name in ("one", "two"))
    for root in roots:
        root.mkdir()
    shutil.copy(program, roots[0] / "work")
    os.link(roots[0] / "work", roots[1] / "work")
    assert len(HostFacts(roots=roots).locations("uprobe", ("/work", "work"))) == 1
    (roots[1] / "work").unlink()
    shutil.copy(program, roots[1] / "work")
    assert len(HostFacts(roots=roots).locations("uprobe", ("/work", "work"))) == 2


def test_a_library_is_found_by_its_name(facts: HostFacts) -> None:
    (location,) = facts.locations("uprobe", ("libc", "malloc"))
    assert Path(location.target).samefile("/lib/x86_64-linux-gnu/libc.so.6")


def test_only_kernel_functions_meant_for_programs_are_kfuncs(facts: HostFacts) -> None:
    assert facts.kfunc("bpf_task_acquire") is not None
    assert facts.kfunc("vfs_read") is None
    assert facts.helper("bpf_map_lookup_elem")
    assert not facts.helper("bpf_no_such_helper")


def test_files_are_read_for_a_user_of_this_machine_only(tmp_path: Path) -> None:
    (tmp_path / "x.h").write_text("text")
    assert HostFacts(files=True).read_text(str(tmp_path / "x.h")) == "text"
    assert HostFacts().read_text(str(tmp_path / "x.h")) is None


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ("work+100000", "Offset outside the function bounds"),
        ("_init", "Could not determine boundary"),
        ("0x2", "Could not resolve address"),
    ],
)
def test_a_uprobe_that_cannot_be_is_refused_with_the_reason(
    facts: HostFacts, program: Path, target: str, reason: str
) -> None:
    assert facts.locations("uprobe", (str(program), target)) == ()
    parts = (str(program), target)
    assert reason in (facts.refusal("uprobe", parts) or facts.danger("uprobe", parts))


def test_a_uprobe_never_stands_inside_of_an_instruction(facts: HostFacts, program: Path) -> None:
    listing = subprocess.run(
        ["objdump", "-d", "--disassemble=work", program], capture_output=True, text=True, check=True
    ).stdout
    symbol = Elf(program).find_symbol("work")
    assert symbol is not None
    starts = {
        int(line.split(":")[0], 16) - symbol.address
        for line in listing.splitlines()
        if line[:2] == "  " and ":" in line
    }
    allowed = {offset for offset in range(symbol.size) if facts.locations("uprobe", (str(program), f"work+{offset}"))}
    assert allowed == starts
