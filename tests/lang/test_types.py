"""What type a variable, a map, a field has: tables of programs."""

from __future__ import annotations

import pytest

from lang.checking import check, errors, key_name, map_of, typed, variable
from tracelang import ir
from tracelang.facts import Layout
from tracelang.plan import BpfMapKind, CompileOptions, EventKind, ScalarMerge
from tracelang.types import AddressSpace, AggregateType, Aggregation, PointerType, name_of


@pytest.mark.parametrize(
    ("statements", "expected"),
    [
        ("$x = 1", "int8"),
        ("$x = -1", "int8"),
        ("$x = 255", "int16"),
        ("$x = 70000", "int32"),
        ("$x = 10223372036854775807", "uint64"),
        ("$x = 1; $x = 70000", "int32"),
        ("$x = 5; $x = pid", "uint32"),  # a number that isn't negative takes the other's sign
        ("$x = pid; $x = -1", "int64"),
        ("$x = (uint8)1; $x = (int8)pid", "int16"),
        ("$x = (uint64)pid; $x = (int64)pid", "int64"),
        ("$x = 1; $x++", "int64"),
        ("$x = pid; $x++", "uint64"),
        ("let $x: uint8 = 5; $x++", "uint8"),
        ("$x = pid + 1", "uint64"),
        ("$x = pid - 1", "int64"),  # a difference may be negative
        ("$x = nsecs - @t; @t = nsecs", "int64"),
        ("$x = (int8)pid >> 1", "int64"),
        ("$x = pid << (int8)tid", "uint64"),
        ("$x = 2 + 3", "int8"),
        ("$x = 5 == 5", "bool"),
        ("$x = !pid", "bool"),
        ("$x = ~pid", "uint64"),
        ("$x = pid ? 1 : 1000", "int16"),
        ('$x = pid ? "a" : "bcd"', "string[4]"),
        ('$x = "a"; $x = "abcdef"', "string[7]"),
        ('$x = (1, "a"); $x = (1000, "abcd")', "(int16,string[5])"),
        ("$x = (a=1, b=pid)", "(a=int8,b=uint32)"),
        ("$x = comm", "string[16]"),
        ("$x = str((uint8 *)0, 7)", "string[7]"),
        ("$x = str((uint8 *)0)", "string[1024]"),
        ("$x = str(10)", "string[3]"),
        ("$x = buf(0, 9)", "buf[9]"),
        ("$x = (int8[8])12345", "int8[8]"),
        ("$x = (uint8[])(uint32)5", "uint8[4]"),
        ('$x = pton("10.0.0.1")', "uint8[4]"),
        ('$x = pton("::1")', "uint8[16]"),
        ("$x = curtask", "struct task_struct *"),
        ("$x = curtask.comm", "string[16]"),
        ("$x = curtask.parent.parent.pid", "int32"),
        ("$x = curtask->slots[2]", "uint16"),
        ("$x = *curtask", "struct task_struct"),
        ("$x = curtask.flag", "uint32"),
        ("$x = (struct sock *)0; ", "struct sock *"),
        ("$x = &pid == 0", None),
        ("$x = GREEN", "enum color"),
        ("$x = sizeof(struct task_struct)", "int8"),
        ("$x = ntop(1)", "inet"),
        ("$x = kstack(3)", "kstack_bpftrace_3"),
        ("$x = { let $y = 5; $y + pid }", "int64"),
        ("let $x: typeof(pid) = 5", "uint32"),
        ("$x = strlen(comm)", "uint64"),
        ("$x = bswap((uint16)5)", "uint16"),
        ("$x = nsecs(tai)", "uint64"),
        ("$x = @c; @c = count()", "int64"),
        ("$x = @s; @s = sum((uint64)pid)", "uint64"),
    ],
)
def test_variable_has_the_type(statements: str, expected: str | None) -> None:
    program = f"begin {{ {statements} }}"
    if expected is None:
        assert errors(program)
    else:
        assert variable(program) == expected


@pytest.mark.parametrize(
    ("statements", "key", "value", "kind"),
    [
        ("@m = 1", "", "int8", BpfMapKind.ARRAY),
        ("@m++", "", "int64", BpfMapKind.ARRAY),
        ("@m += pid", "", "uint64", BpfMapKind.ARRAY),
        ("@m[1] = 1; @m[1000] = pid", "int16", "uint32", BpfMapKind.HASH),
        ('@m[1, "a", pid] = 1; @m[1000, "bcd", 5] = 1', "(int16,string[4],uint32)", "int8", BpfMapKind.HASH),
        ("@m[(1, 2)] = 1; @m[3, 4] = 1", "(int8,int8)", "int8", BpfMapKind.HASH),
        ("@m[comm] = count()", "string[16]", "count_t", BpfMapKind.PERCPU_HASH),
        ("@m = sum(5)", "", "sum_t", BpfMapKind.PERCPU_ARRAY),
        ("@m = sum(5); @m = sum((uint32)pid)", "", "usum_t", BpfMapKind.PERCPU_ARRAY),
        ("@m = hist(pid)", "", "hist_t", BpfMapKind.PERCPU_ARRAY),
        ("@m[kstack] = count()", "kstack_bpftrace_127", "count_t", BpfMapKind.PERCPU_HASH),
        ("@n = 5; @m = @n", "", "int8", BpfMapKind.ARRAY),
        ("@m = @n; @n = 70000", "", "int32", BpfMapKind.ARRAY),
    ],
)
def test_map_has_the_type(statements: str, key: str, value: str, kind: BpfMapKind) -> None:
    found = map_of(f"begin {{ {statements} }}")
    assert (key_name(found.key), name_of(found.value), found.kind) == (key, value, kind)


def test_declared_map_keeps_its_kind_and_size() -> None:
    found = map_of("let @m = lruhash(100); begin { @m[1] = 1 }")
    assert (found.kind, found.max_entries) == (BpfMapKind.LRU_HASH, 100)


def test_only_counters_are_summed_over_nodes() -> None:
    maps = {item.name: item.merge for item in typed("begin { @up++; @up += 2; @set = 5; @set++ }").maps}
    assert maps == {"up": ScalarMerge.SUM, "set": ScalarMerge.BY_NODE}


def test_histogram_keeps_its_parameters() -> None:
    value = map_of("begin { @m = lhist(pid, 0, 100, 10) }").value
    assert value == AggregateType(Aggregation.LHIST, signed=True, parameters=(0, 100, 10))


def test_map_type_travels_between_probes() -> None:
    found = map_of('begin { @m = @n } end { @n = (1, "a"); @n = (1000, "abc") }')
    assert name_of(found.value) == "(int16,string[4])"


def own_layout(definition: str, name: str) -> Layout:
    program = f"{definition} begin {{ $x = *(struct {name} *)0; print($x); }}"
    return typed(program).layouts[f"struct {name}"]


def test_own_structs_are_laid_out_as_c_does() -> None:
    found = own_layout("struct s { char c; int n; char text[5]; long l; struct s *next; }", "s")
    assert {name: member.offset for name, member in found.members.items()} == {
        "c": 0, "n": 4, "text": 8, "l": 16, "next": 24,
    }  # fmt: skip
    assert found.size == 32


def test_bit_fields_share_their_storage() -> None:
    found = own_layout("struct b { unsigned a:4, b:8, c:3, d:1, e:16; short f:4; short g:13; }", "b")
    places = {name: (member.bit_offset, member.bit_size) for name, member in found.members.items()}
    assert places == {"a": (0, 4), "b": (4, 8), "c": (12, 3), "d": (15, 1), "e": (16, 16), "f": (32, 4), "g": (48, 13)}


def test_members_of_anonymous_unions_are_the_structs_own() -> None:
    found = own_layout("struct u { int tag; union { int n; char c[4]; }; short s; }", "u")
    assert {name: member.offset for name, member in found.members.items()} == {"tag": 0, "n": 4, "c": 4, "s": 8}


def test_field_of_a_kernel_pointer_points_into_the_kernel() -> None:
    local = next(item for item in typed("begin { $x = curtask.parent }").probes[0].locals if item.name == "x")
    assert isinstance(local.type, PointerType)
    assert local.type.space is AddressSpace.KERNEL


def test_constants_are_folded() -> None:
    probe = typed("begin { $x = (2 + 3) * 4 - 1; $y = 0x10 | 1 }").probes[0]
    values = [item.value for item in probe.body if isinstance(item, ir.SetLocal)]
    assert [value.value for value in values if isinstance(value, ir.Constant)] == [19, 17]


def test_branch_that_never_runs_is_left_out() -> None:
    assert not typed('begin { if (1 > 2) { printf("never") } }').probes[0].body
    assert errors("begin { if (1 > 2) { print($nothing) } }")
    assert typed("begin { let $x; if (0) { $x = 3; } print($x) }")


def test_positional_parameters_are_numbers_or_text() -> None:
    given = CompileOptions(positional=("42", "shop", "0775"))
    program = "begin { $x = $1; $y = $2; $z = $3; $a = str($1); $b = $9; $c = str($9); $d = $#; $e = str($2 + 1) }"
    body = typed(program, given).probes[0].body
    values = [item.value for item in body if isinstance(item, ir.SetLocal)]
    shown = [value.value if isinstance(value, ir.Constant) else value.data for value in values]  # type: ignore[attr-defined]  # all are constants
    assert shown == [42, b"shop", 0o775, b"42", 0, b"", 3, b"hop"]


def test_named_parameters_have_the_type_of_their_default() -> None:
    given = CompileOptions(named={"count": "7", "fast": "true"})
    program = 'begin { print((getopt("count", 1), getopt("fast"), getopt("name", "nobody"))) }'
    kinds = [name_of(field.type) for field in typed(program, given).events[0].fields]
    assert kinds == ["(uint64,bool,string[7])"]
    assert errors("begin { exit() }", given) == ["unexpected program command line options: --count, --fast"]


def test_unassigned_inner_variable_still_reads_as_in_older_programs() -> None:
    assert variable("begin { if (pid) { $x = 5 } print($x) }") == "int8"


def test_types_do_not_depend_on_the_number_of_rounds() -> None:
    chain = "; ".join(f"@a{index} = @a{index + 1}" for index in range(10))
    result = check(f"begin {{ {chain}; @a10 = 70000 }}")
    assert result.typed is not None
    assert {name_of(item.value) for item in result.typed.maps} == {"int32"}


def test_division_by_what_may_be_zero_warns_when_it_runs() -> None:
    program = "begin { print(10 / (uint64)@d); @d = 0 }"
    [warning] = [event for event in typed(program).events if event.kind is EventKind.RUNTIME_ERROR]
    assert warning.text.startswith("Divide or modulo by 0 detected.")
    assert warning.options["place"] == "1:15-30"
    assert str(warning.options["quote"]).splitlines()[-1].strip() == "~" * 15
    silent = CompileOptions(warnings=False)
    assert [event.kind for event in typed(program, silent).events] == [EventKind.PRINT_VALUE]
    assert not [event for event in typed("begin { print(pid / 10) }").events if event.kind is EventKind.RUNTIME_ERROR]


def test_missing_keys_are_told_only_when_asked_for() -> None:
    program = "begin { @a[1] = 1; $x = @a[2]; delete(@a, 3) }"
    assert not typed(program).events
    asked = [event.text.splitlines()[0] for event in typed(program, CompileOptions(runtime_warnings=True)).events]
    assert asked == [
        "Can't lookup map element because it does not exist.",
        "Can't delete map element because it does not exist.",
    ]


def test_variable_without_any_assignment_has_no_type() -> None:
    assert errors("begin { let $x; print($x) }") == [
        "The type of $x can't be told: it is declared, but never assigned to"
    ]
