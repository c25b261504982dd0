"""What a program becomes on kernels that lack BPF helpers: something else that works, or one sentence."""

from __future__ import annotations

import re

import pytest

from lang.checking import check, errors, typed
from lang.facts_table import TableFacts
from tracelang.compiler import compile_program
from tracelang.plan import BpfMapKind, CompileOptions

COUNTED = "begin { @c = count(); if (@c > 1) { print(@c); } @other = count(); }"


def without(*helpers: str) -> TableFacts:
    return TableFacts(without=frozenset(helpers))


def code(text: str, *helpers: str) -> str:
    return compile_program(text, facts=without(*helpers)).plan.c_source


@pytest.mark.parametrize(
    ("program", "what"),
    [
        ("begin { @m[1] = 1; for ($kv : @m) { print($kv.0); } }", "A loop over a map"),
        ("begin { @m[1] = 1; print(len(@m)); }", "len() of a map"),
    ],
)
def test_what_walks_over_a_map_says_that_it_cannot(program: str, what: str) -> None:
    assert errors(program) == []
    assert errors(program, facts=without("bpf_for_each_map_elem")) == [
        f"{what} takes bpf_for_each_map_elem(), which Linux has since 5.13: this kernel doesn't have it"
    ]


def test_an_aggregation_that_is_read_is_one_number_where_cpus_cannot_be_merged() -> None:
    def kinds(facts: TableFacts) -> list[BpfMapKind]:
        return [item.kind for item in typed(COUNTED, facts=facts).maps]

    assert kinds(TableFacts()) == [BpfMapKind.PERCPU_ARRAY, BpfMapKind.PERCPU_ARRAY]
    assert kinds(without("bpf_map_lookup_percpu_elem")) == [BpfMapKind.ARRAY, BpfMapKind.PERCPU_ARRAY]


def test_an_addition_that_gives_the_old_number_is_split() -> None:
    program = "begin { print(@n++); }"
    assert "= __sync_fetch_and_add(" in code(program)
    assert "= __sync_fetch_and_add(" not in code(program, "bpf_check_mtu")
    assert "__sync_fetch_and_add(" in code(program, "bpf_check_mtu")


@pytest.mark.parametrize(
    ("loop", "turns"),
    [
        ("$i = 0; while ($i < 5) { $i++; }", 512),
        ("for ($i : 0..600) { print($i); }", 512),
        ("for ($i : 0..5) { for ($j : 0..40) { print($j); } }", 32),
        ("for ($i : 0..512) { print($i); }", 0),
    ],
)
def test_a_plain_loop_warns_of_its_bound(loop: str, turns: int) -> None:
    items = check(f"begin {{ {loop} }}", facts=without("bpf_loop")).diagnostics.items
    told = [item.message for item in items if item.message.startswith("This loop")]
    message = (
        f"This loop ends after {turns} turns; more takes bpf_loop(), which Linux has since 5.17: this kernel doesn't"
    )
    assert told == ([f"{message} have it."] if turns else [])


def test_func_comes_from_the_register_of_a_kprobe_and_is_a_constant_elsewhere() -> None:
    assert "bpf_get_func_ip" in code("kprobe:vfs_read { print(func); }")
    assert "bpf_get_func_ip" not in code("kprobe:vfs_read { print(func); }", "bpf_get_func_ip")
    assert "bpf_get_func_ip" not in code("kretprobe:vfs_read { print(func); }", "bpf_get_func_ip")


def test_strings_are_shorter_where_keys_are_and_a_long_key_is_told() -> None:
    program = "kprobe:vfs_read { @[str(arg0), str(arg1)] = count(); }"
    old = without("bpf_get_current_task_btf")
    assert errors(program, facts=old) == []
    (message,) = errors(f"config = {{ max_strlen = 300 }} {program}", facts=old)
    assert message == "The key of @ takes 600 bytes, and this kernel's maps take 512 (more since Linux 5.11)"


def test_what_is_told_at_run_time_survives_that_a_probe_becomes_several_programs() -> None:
    """Lowered again for one place, a probe must not refer to events of the first try."""
    text = compile_program(
        "t:syscalls:sys_enter_* { @[probe] = count(); }",
        facts=without("bpf_get_attach_cookie"),
        options=CompileOptions(interactive=True),
    ).plan.c_source
    used = set(re.findall(r"struct (event_\d+) \w+ =", text))
    assert used
    assert used == set(re.findall(r"^struct (event_\d+) \{", text, re.MULTILINE))
