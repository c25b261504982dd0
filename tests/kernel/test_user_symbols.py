"""Addresses of real processes as names, while they run and after they have ended."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kernel.agents import agent, map_values, pod, request
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


def test_a_binary_that_was_replaced_while_it_runs_keeps_its_own_symbols(program: Path, tmp_path: Path) -> None:
    copy = tmp_path / "work"
    shutil.copy(program, copy)
    symbols = UserSymbols()
    with subprocess.Popen([copy], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        address = int(process.stdout.readline(), 16)
        copy.unlink()
        shutil.copy("/bin/true", copy)
        found = symbols.resolve(process.pid, address)
        assert found is not None
        assert found.name == "shop::work(int)"
        process.communicate("\n")


# --- code that runtimes make ---

JIT = """
import ctypes, mmap, os, sys
memory = mmap.mmap(-1, 1 << 16, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
with open(f"/tmp/perf-{os.getpid()}.map", "w") as table:
    for line in sys.stdin:
        offset, size, name = line.split(maxsplit=2)
        table.write(f"{address + int(offset):x} {int(size):x} {name.strip()}\\n")
        table.flush()
        print(hex(address), flush=True)
"""
OWN_NAMESPACES = ["unshare", "--mount", "--pid", "--fork", "--mount-proc", "--propagation", "private"]
OWN_TMP = [*OWN_NAMESPACES, "sh", "-c", 'mount -t tmpfs none /tmp && exec "$@"', "sh"]


@pytest.mark.parametrize("within", [[], OWN_TMP], ids=["here", "in a container's own /tmp, under its own number"])
def test_code_of_a_runtime_is_known_by_its_map_as_that_grows(within: list[str]) -> None:
    symbols = UserSymbols()
    # Not the virtual environment's link, which may lie in the /tmp that is taken away.
    command = [*within, Path(sys.executable).resolve(), "-S", "-c", JIT]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None

        def told(line: str) -> int:
            process.stdin.write(f"{line}\n")  # type: ignore[union-attr]  # asserted above
            process.stdin.flush()  # type: ignore[union-attr]
            return int(process.stdout.readline(), 16)  # type: ignore[union-attr]

        start = told("0 256 LazyCompile:~sell shop.js:3")
        pid = _innermost(process.pid)
        found = symbols.resolve(pid, start + 5)
        assert found is not None
        assert (found.name, found.offset) == ("LazyCompile:~sell shop.js:3", 5)
        assert symbols.resolve(pid, start + 4096) is None
        told("4096 256 Function:buy")
        deadline = time.monotonic() + 10
        while (found := symbols.resolve(pid, start + 4097)) is None and time.monotonic() < deadline:
            time.sleep(0.05)
        assert found is not None
        assert found.name == "Function:buy"
        told("0 256 Function:*sell")  # compiled anew, in the same place
        process.stdin.close()
        process.wait()
    again = symbols.resolve(pid, start + 5)
    assert again is not None
    assert again.name == "LazyCompile:~sell shop.js:3"
    Path(f"/tmp/perf-{pid}.map").unlink(missing_ok=True)


def _innermost(pid: int) -> int:
    """The last descendant of a process."""
    while children := Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        pid = int(children[0])
    return pid


# --- processes that end at once ---

SHORT = """
__attribute__((noinline)) long till(long n) {
  long result;
  asm volatile("syscall" : "=a"(result) : "a"(121), "D"(n) : "rcx", "r11", "memory");
  return result + (__builtin_frame_address(0) != 0);
}
__attribute__((noinline)) long shop(long n) { return till(n) + 1; }
int main(int count, char **words) { return shop(count - 1) < 0; }
"""
STACKS = "tracepoint:syscalls:sys_enter_getpgid { @[ustack(3)] = count(); }"


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A program that makes one call and ends."""
    folder = tmp_path_factory.mktemp("short")
    (folder / "short.c").write_text(SHORT)
    flags = ["-O1", "-fno-omit-frame-pointer", "-fno-optimize-sibling-calls"]
    subprocess.run(["gcc", *flags, "-o", folder / "short", folder / "short.c"], check=True)
    return folder / "short"


IN_OWN_ROOT = 'mount -t tmpfs none /mnt && cp "$1" /mnt/only-here && /mnt/only-here; sleep 1'


@pytest.mark.parametrize("where", ["here", "in a file system of its own"])
def test_the_stack_of_a_process_that_has_long_ended_has_names(where: str, short: Path, tmp_path: Path) -> None:
    with pod() as target, agent(request(STACKS, target.target), tmp_path) as running:
        running.attached()
        if where == "here":
            script = f"import os; os.execv({str(short)!r}, ['short'])"
        else:
            command = ["unshare", "--mount", "--propagation", "private", "sh", "-c", IN_OWN_ROOT, "sh", str(short)]
            script = f"import os; os.execvp('unshare', {command!r})"
        target.start(script).wait()
        running.process.send_signal(signal.SIGTERM)
        stacks = map_values(running.result(), "@")
    texts = [str(key[0]) for key in stacks]
    frames = [re.findall(r"(?<!\w)(till|shop|main)\+", text) for text in texts if "till" in text]
    assert frames == [["till", "shop", "main"]], texts
