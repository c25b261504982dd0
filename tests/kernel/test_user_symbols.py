"""Addresses of real processes as names, while they run and after they have ended."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tracejob_agent.kernel.elf import Elf
from tracejob_agent.output.user_symbols import UserSymbols

SOURCE = """
#include <stdio.h>
namespace shop { __attribute__((noinline)) int work(int n) { asm volatile("" : : "r"(n)); return n; } }
int main() { printf("%p\\n", (void *)&shop::work); fflush(stdout); getchar(); return shop::work(1); }
"""


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("symbols")
    (folder / "work.cpp").write_text(SOURCE)
    subprocess.run(["g++", "-O1", "-o", folder / "work", folder / "work.cpp"], check=True)
    return folder / "work"


def test_a_function_of_a_running_process_and_of_one_that_has_ended(program: Path) -> None:
    symbols = UserSymbols()
    with subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        address = int(process.stdout.readline(), 16)
        symbols.remember(process.pid)
        process.communicate("\n")
    found = symbols.resolve(process.pid, address + 1)
    assert found is not None
    assert (found.name, found.offset, found.path) == ("shop::work(int)", 1, str(program))
    symbols.cpp_demangle = False
    plain = symbols.resolve(process.pid, address)
    assert plain is not None
    assert plain.name == "_ZN4shop4workEi"


def test_a_library_function_is_found_in_the_librarys_file() -> None:
    symbols = UserSymbols()
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as process:
        while not any("libc.so" in line for line in Path(f"/proc/{process.pid}/maps").read_text().splitlines()):
            pass
        maps = Path(f"/proc/{process.pid}/maps").read_text().splitlines()
        first = next(line for line in maps if "libc.so" in line)
        base, path = int(first.split("-")[0], 16), first.split()[-1]
        symbol = Elf(Path(path)).find_symbol("malloc")
        assert symbol is not None
        found = symbols.resolve(process.pid, base + symbol.address)
        assert found is not None
        assert (found.name, found.offset) == ("malloc", 0)
        process.communicate()


def test_nothing_is_known_of_a_process_that_was_never_seen() -> None:
    assert UserSymbols().resolve(4194303, 0x1000) is None


def test_a_command_that_will_run_without_randomization_is_known_beforehand(program: Path) -> None:
    symbols = UserSymbols()
    symbols.assume_executable(4194303, str(program))
    symbol = Elf(program).find_symbol("_ZN4shop4workEi")
    assert symbol is not None
    found = symbols.resolve(4194303, 0x555555554000 + symbol.address)
    assert found is not None
    assert found.name == "shop::work(int)"
