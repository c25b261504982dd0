"""Arguments of USDT probes in every form that compilers write for x86-64."""

from __future__ import annotations

import pytest

from tracejob_agent.kernel.usdt import parse_argument, split_arguments
from tracelang.facts import UsdtArgument


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("-4@%edi", UsdtArgument("register", 4, True, register="di")),
        ("8@%r12", UsdtArgument("register", 8, False, register="r12")),
        ("1@%r9b", UsdtArgument("register", 1, False, register="r9")),
        ("1@%sil", UsdtArgument("register", 1, False, register="si")),
        ("-2@%ax", UsdtArgument("register", 2, True, register="ax")),
        ("8@$-5", UsdtArgument("const", 8, False, constant=-5)),
        ("4@$0x10", UsdtArgument("const", 4, False, constant=16)),
        ("-4@-8(%rbp)", UsdtArgument("memory", 4, True, constant=-8, register="bp")),
        ("1@(%rdi)", UsdtArgument("memory", 1, False, register="di")),
        ("-4@8(%rax,%rcx,4)", UsdtArgument("memory", 4, True, constant=8, register="ax", index="cx", scale=4)),
        ("8@(%rax,%rcx)", UsdtArgument("memory", 8, False, register="ax", index="cx")),
        ("8@16(,%rcx,8)", UsdtArgument("memory", 8, False, constant=16, index="cx", scale=8)),
        ("4@24(%rip)", UsdtArgument("memory", 4, False, constant=24, register="ip")),
        ("8f@%xmm0", UsdtArgument("unsupported", 8, False)),
        ("8@nowhere(%rip)", UsdtArgument("unsupported", 8, False)),
        ("nonsense", UsdtArgument("unsupported", 8, False)),
    ],
)
def test_an_argument(text: str, expected: UsdtArgument) -> None:
    assert parse_argument(text, elf=None, address=0) == expected


def test_arguments_are_parted_at_blanks_outside_of_parentheses() -> None:
    assert split_arguments("-4@%edi 8@8(%rax, %rcx, 4) 1@$5") == ["-4@%edi", "8@8(%rax, %rcx, 4)", "1@$5"]
    assert split_arguments("") == []
