"""Where arguments of C and C++ functions are, as a compiler's debugging information tells."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from tracejob_agent.kernel.dwarf import DwarfTypes

pytestmark = pytest.mark.kernel
SOURCE = """
struct Owner { int a; Owner(int it) : a(it) {} Owner(const Owner &it) : a(it.a) {} };
struct Holder { long b; Owner inner; };
struct Ended { int a; ~Ended() {} };
struct Base { long b; };
struct Derived : Base { int d; static int shared; };
struct Turning { virtual int turn() { return 1; } };
struct Bits { double weight; int low : 3; };
struct Maker { Holder make(int x) { return Holder{x, Owner(x)}; } };
int owner(Owner it, int x) { return it.a + x; }
int holder(Holder it, int x) { return it.b + x; }
int ended(Ended it, int x) { return it.a + x; }
int derived(Derived it, int x) { return it.d + x; }
int turning(Turning it, int x) { return it.turn() + x; }
int bits(Bits it, int x) { return it.low + x; }
int reference(Owner &it, int x) { return it.a + x; }
Holder made(Maker *it, int x) { return it->make(x); }
"""


@pytest.fixture(scope="module")
def types(tmp_path_factory: pytest.TempPathFactory) -> DwarfTypes:
    if shutil.which("g++") is None:
        pytest.skip("no compiler of C++")
    folder = tmp_path_factory.mktemp("passed")
    (folder / "a.cc").write_text(SOURCE)
    subprocess.run(["g++", "-g", "-shared", "-fPIC", "-o", "a.so", "a.cc"], cwd=folder, check=True)
    return DwarfTypes(folder / "a.so")


@pytest.mark.parametrize(
    ("function", "registers"),
    [
        ("owner", [-1, 1]),  # copied by a function: its address is passed
        ("holder", [-1, 1]),
        ("ended", [-1, 1]),
        ("turning", [-1, 1]),
        ("derived", [0, 2]),
        ("bits", [-1, 1]),  # a float's register and an integer's
        ("reference", [0, 1]),
        ("made", [1, 2]),  # the first register says where the result goes
    ],
)
def test_registers(types: DwarfTypes, function: str, registers: list[int]) -> None:
    signature = types.function(function)
    assert signature is not None
    assert [parameter.register for parameter in signature.parameters] == registers
