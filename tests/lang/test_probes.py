"""Attach points: which programs a probe becomes, where its arguments are, what is refused."""

from __future__ import annotations

import pytest

from lang.checking import check, errors, typed
from lang.facts_table import LIBRARY, TableFacts
from tracelang import ir
from tracelang.plan import CompileOptions, ProgramType, ScopeOptions
from tracelang.providers import PROVIDERS, find_provider
from tracelang.types import AddressSpace, name_of


def test_every_alias_names_one_provider() -> None:
    names = [name for provider in PROVIDERS for name in (provider.name, *provider.aliases)]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    ("written", "provider"),
    [
        ("t", "tracepoint"),
        ("BEGIN", "begin"),
        ("kfunc", "fentry"),
        ("kretfunc", "fexit"),
        ("U", "usdt"),
        ("ur", "uretprobe"),
    ],
)
def test_old_and_short_spellings(written: str, provider: str) -> None:
    found = find_provider(written)
    assert found is not None
    assert found.name == provider


@pytest.mark.parametrize(
    ("spec", "options"),
    [
        ("interval:s:2", {"period": 2_000_000_000}),
        ("i:100ms", {"period": 100_000_000}),
        ("interval:5000", {"period": 5000}),
        ("profile:hz:99", {"frequency": 99}),
        ("p:us:1e3", {"period": 1_000_000}),
        ("software:faults:1_000", {"event": 2, "period": 1000}),
        ("hardware:cache-misses:", {"event": 3, "period": 1_000_000}),
        ("watchpoint:0x1000:8:wr", {"length": 8, "mode": "rw", "address": 0x1000}),
        ("self:signal:SIGUSR1", {"signal": "SIGUSR1"}),
    ],
)
def test_spec_is_read(spec: str, options: dict[str, int | str]) -> None:
    assert typed(f"{spec} {{ @ = 1 }}").probes[0].attachments[0].options == options


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("interval:s:0", "interval frequency should be a positive integer"),
        ("interval:xx:1", "xx is not an accepted unit of time"),
        ("interval:s:1x", "Invalid rate of interval probe: invalid trailing bytes: 1x"),
        ("tracepoint:foo", "tracepoint probe type requires 2 arguments, found 1"),
        ("begin:now", "begin probe type requires 0 arguments, found 1"),
        ("hardware:foo:1", "foo is not a hardware probe"),
        ("software:faults:abc", "Invalid count for software probe: invalid integer: abc"),
        ("watchpoint:0x1:9:w", "watchpoint length must be one of (1,2,4,8)"),
        ("self:signal:SIGFOO", "SIGFOO is not a supported signal"),
        ("kretprobe:vfs_read+4", "kretprobe probes can't have an offset: they fire when the function returns"),
        ("foo:bar", "Invalid probe type: foo"),
        ("tracepoint:syscalls:sys_enter_opena", "No matches for tracepoint syscalls:sys_enter_opena."),
    ],
)
def test_spec_is_refused(spec: str, message: str) -> None:
    assert errors(f"{spec} {{ @ = 1 }}") == [message]


def test_kernel_without_the_provider_says_why() -> None:
    facts = TableFacts(missing={"kprobe": "this kernel was built without kprobes"})
    [told] = check("k:vfs_read { @ = 1 }", facts=facts).diagnostics.items
    assert (told.message, told.hint) == (
        "No matches for kprobe vfs_read.",
        "this kernel was built without kprobes",
    )


def test_missing_probe_can_be_a_warning() -> None:
    result = check("config = { missing_probes = warn } k:gone { @a[1]++ } begin { print(@a) }")
    assert result.typed is not None
    assert [item.message for item in result.diagnostics.items] == [
        "No matches for kprobe gone. Skipping.",
        "Probe has no valid attach points. It is being removed which may cause issues with program behavior.",
    ]


def test_wildcard_without_args_is_one_program() -> None:
    program = typed("t:syscalls:sys_enter_* { @[probe] = count() }")
    assert len(program.probes) == 1
    attachments = program.probes[0].attachments
    assert [item.cookie for item in attachments] == [0, 1, 2]
    assert [program.probe_names[item.cookie] for item in attachments] == [item.location.name for item in attachments]


def test_without_cookies_each_place_has_its_program() -> None:
    facts = TableFacts(without=frozenset({"bpf_get_attach_cookie"}))
    assert len(typed("t:syscalls:sys_enter_* { @[probe] = count() }", facts=facts).probes) == 3


def test_places_whose_fields_agree_share_a_program() -> None:
    programs = typed("t:syscalls:sys_enter_* { @[str(args.filename)] = count() }").probes
    shared = [[item.location.function for item in probe.attachments] for probe in programs]
    assert shared == [["sys_enter_open", "sys_enter_creat"], ["sys_enter_openat"]]


def test_field_that_one_place_lacks_is_told_with_its_place() -> None:
    assert errors("t:syscalls:sys_enter_* { print(args.dfd) }")


def test_different_kinds_of_probes_are_different_programs() -> None:
    kinds = [probe.type for probe in typed("begin, i:s:1, t:sched:sched_switch { @++ }").probes]
    assert kinds == [ProgramType.RAW_TRACEPOINT, ProgramType.PERF_EVENT, ProgramType.TRACEPOINT]


def test_traced_functions_are_one_program_each() -> None:
    programs = typed("fentry:vfs_* { @++ }").probes
    assert [probe.attach_btf_function for probe in programs] == ["vfs_read", "vfs_write"]


def test_iterator_names_its_function() -> None:
    probe = typed("iter:task { print(ctx.task.pid) }").probes[0]
    assert (probe.attach_btf_function, probe.scoped) == ("bpf_iter_task", False)


@pytest.mark.parametrize(
    ("spec", "scoped"),
    [("begin", False), ("end", False), ("interval:s:1", False), ("profile:hz:9", True), ("t:sched:sched_switch", True)],
)
def test_scope_stands_before_probes_in_task_context(spec: str, scoped: bool) -> None:
    assert typed(f"{spec} {{ @++ }}").probes[0].scoped is scoped


@pytest.mark.parametrize(
    ("program", "expected"),
    [
        ("t:syscalls:sys_enter_open { $x = args.flags }", ("int32", "ContextLoad")),
        ("t:sched:sched_switch { $x = args.prev_comm }", ("string[16]", "ContextPlace")),
        ("t:irq:handler { $x = args.name }", ("int8 *", "AddressOf")),
        ("rt:sys_enter { $x = args.id }", ("int64", "ContextLoad")),
        ("rt:sys_enter { $x = arg1 }", ("uint64", "ContextLoad")),
        ("k:vfs_read { $x = arg2 }", ("uint64", "RegisterArgument")),
        ("kr:vfs_read { $x = retval }", ("uint64", "Intrinsic")),
        ("fentry:vfs_read { $x = args.task }", ("struct task_struct *", "ContextLoad")),
        ("fexit:vfs_read { $x = retval }", ("int64", "Intrinsic")),
        (f"u:{LIBRARY}:buy {{ $x = args.count }}", ("int32", "Convert")),
        (f"u:{LIBRARY}:buy {{ $x = sarg0 }}", ("uint64", "StackArgument")),
        (f'u:{LIBRARY}:buy {{ $x = reg("ip") }}', ("uint64", "RegisterNamed")),
        (f"U:{LIBRARY}:sale {{ $x = arg1 }}", ("int64", "UsdtValue")),
        (f'u:{LIBRARY}:buy {{ $x = uaddr("counter") }}', ("uint32 *", "Intrinsic")),
    ],
)
def test_arguments_are_where_the_probe_has_them(program: str, expected: tuple[str, str]) -> None:
    probe = typed(program).probes[0]
    statement = probe.body[0]
    assert isinstance(statement, ir.SetLocal)
    assert (name_of(probe.locals[0].type), type(statement.value).__name__) == expected


def test_text_of_a_system_call_is_read_from_user_space() -> None:
    probe = typed("t:syscalls:sys_enter_open { $x = str(args.filename) }").probes[0]
    statement = probe.body[0]
    assert isinstance(statement, ir.SetLocal)
    assert isinstance(statement.value, ir.Intrinsic)
    assert statement.value.constants["space"] == AddressSpace.USER.value


def test_usdt_arguments_of_several_places_are_told_apart_by_cookie() -> None:
    probe = typed(f"U:{LIBRARY}:shop:* {{ $x = arg0 }}").probes[0]
    statement = probe.body[0]
    assert isinstance(statement, ir.SetLocal)
    assert isinstance(statement.value, ir.UsdtValue)
    assert [cookie for cookie, _ in statement.value.arguments] == [item.cookie for item in probe.attachments] == [0, 1]


def test_usdt_argument_that_one_place_lacks() -> None:
    result = check(f"U:{LIBRARY}:shop:* {{ print(arg1) }}")
    assert result.typed is not None
    assert [item.message for item in result.diagnostics.items] == [
        f"usdt:{LIBRARY}:shop:refund has 1 arguments: arg1 is 0 there"
    ]


def test_places_that_are_lowered_again_tell_of_full_maps_by_events_that_exist() -> None:
    program = typed(
        "t:syscalls:sys_enter_openat, t:syscalls:sys_enter_creat { @[tid] = args.filename }",
        CompileOptions(interactive=True),
    )
    assert len(program.probes) == 2
    assert set(program.failures.values()) == {event.id for event in program.events}


def test_probe_as_text_gives_each_place_its_own_program() -> None:
    program = typed('t:syscalls:sys_enter_* { if (strcontains(probe, "creat")) { @++ } }')
    # The two that aren't meant have nothing left to do; the third counts.
    assert [bool(probe.body) for probe in program.probes] == [False, False, True]


def test_too_many_probes() -> None:
    options = CompileOptions(config={"max_probes": "2"})
    assert errors("t:syscalls:sys_enter_* { @++ }", options) == [
        "Can't attach to 3 probes because it exceeds the current limit of 2 probes."
    ]


@pytest.mark.parametrize(
    ("probe", "reason"),
    [
        ("t:irq:handler { @++ }", "it fires in interrupts and kernel threads, not in the task that it is about"),
        ("iter:task { @++ }", "it walks over all objects of the node"),
    ],
)
def test_scoped_program_refuses_probes_outside_of_its_tasks(probe: str, reason: str) -> None:
    scoped = CompileOptions(scope=ScopeOptions("cgroups", 4))
    [message] = errors(probe, scoped)
    assert message.endswith(f"can't be limited to the target: {reason}")
    assert not errors(probe)
