"""Names of compilers made readable: Rust's two manglings, C++'s, Go's; whatever a binary's names hold."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracejob_agent.kernel.demangle import demangle
from tracejob_agent.kernel.rust_names import demangle_rust

RUST = {
    "_RNvCs1234_4shop4work": "shop::work",
    "_RNvMCs1_4shopNtB2_4Cart3add": "<shop::Cart>::add",
    "_RNvXCs1_4shopNtB2_4CartNtB2_4Sell4sell": "<shop::Cart as shop::Sell>::sell",
    "_RINvCs1_4shop4workhReE": "shop::work::<u8, &str>",
    "_RINvCs1_4shop4workAhj4_E": "shop::work::<[u8; 4]>",
    "_RINvCs1_4shop4workTmETNvB2_1aEE": "shop::work::<(u32,), (shop::a,)>",
    "_RNCNvCs1_4shop4mains_0": "shop::main::{closure#1}",
    "_RINvCs1_4shop4workFEuE": "shop::work::<fn()>",
    "_RINvCs1_4shop4workFUKCmEhE": 'shop::work::<unsafe extern "C" fn(u32) -> u8>',
    "_RINvCs1_4shop4workDNtB2_4SellEL_E": "shop::work::<dyn shop::Sell>",
    "_RINvCs1_4shop4workFG_RL0_hEuE": "shop::work::<for<'a> fn(&'a u8)>",
    "_RINvCs1_4shop4workKbn1_E": "shop::work::<true>",
    "_RINvCs1_4shop4workKin5_E": "shop::work::<-5>",
    "_RNvNtCs1_4shopu6t_9fab4prix": "shop::été::prix",
    "_RNvCs1_4shop4work.llvm.1234": "shop::work",
    "_ZN4shop4work17h0123456789abcdefE": "shop::work",
    "_ZN50_$LT$shop..Cart$LT$T$GT$$u20$as$u20$shop..Sell$GT$4sell17h0123456789abcdefE": (
        "<shop::Cart<T> as shop::Sell>::sell"
    ),
}


@pytest.mark.parametrize(("mangled", "readable"), RUST.items())
def test_rust_names_are_readable(mangled: str, readable: str | None) -> None:
    assert demangle_rust(mangled) == readable
    assert demangle(mangled) == (readable or mangled)


@pytest.mark.parametrize(
    "name", ["_R", "_RB_", "_RNvB_4work", "_RINvCs1_4shop4work", "_RNvC9shop4work", "_ZN4shop4work17h01E", "main"]
)
def test_what_is_not_a_name_of_rust_stays(name: str) -> None:
    assert demangle_rust(name) is None


def test_a_name_that_grows_by_references_into_itself_is_left() -> None:
    """Each tuple holds the one before it twice: forty of them would be a terabyte of text."""
    name, last = "INvC1a1b", "h"
    for _ in range(40):
        position = len(name)
        name += last
        number = _base_62(position)
        last = f"TB{number}B{number}E"
    assert demangle_rust(f"_R{name}{last}E") is None
    assert demangle_rust("_RINvC1a1b" + "R" * 5000 + "hE") is None


def _base_62(number: int) -> str:
    digits = ""
    number -= 1
    while number >= 0:
        digits = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"[number % 62] + digits
        number = number // 62 or -1
    return f"{digits}_"


@given(st.text(alphabet="RNvCsMXYIEBKTAFDLpu_0123456789abxyzG", max_size=60))
def test_any_text_is_taken(text: str) -> None:
    assert demangle(f"_R{text}")
    assert demangle(f"_ZN{text}17h0123456789abcdefE")


def test_other_languages() -> None:
    assert demangle("_ZN4shop4workEi") == "shop::work(int)"
    assert demangle("gopkg.in/yaml%2ev3.(*Decoder).Decode") == "gopkg.in/yaml.v3.(*Decoder).Decode"
    assert demangle("main.work") == "main.work"
    assert demangle("a%2eb") == "a%2eb"
