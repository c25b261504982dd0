"""Which wildcards over system calls become one program at sys_enter or sys_exit, and which stay as they are."""

from __future__ import annotations

from fnmatch import fnmatchcase

import pytest

from lang.facts_table import COMMON, NONE, TableFacts, layout
from tracelang.compiler import compile_program
from tracelang.facts import Layout, Location, Member
from tracelang.plan import Plan, ProgramSpec
from tracelang.types import S64, U32, PointerType, StructType

NAMES = tuple(f"call{number}" for number in range(40))
UNKNOWN = "newest"  # a call whose number isn't known
THREAD = layout("struct thread_info", 24, Member("flags", S64, 0), Member("status", U32, 16))
TASK = layout(
    "struct task_struct",
    64,
    Member("thread_info", StructType("struct thread_info", 24), 0),
    Member("parent", PointerType(StructType("struct task_struct", 64), NONE), 24),
)


class Machine(TableFacts):
    """A kernel with 41 system calls."""

    structs = {item.name: item for item in (THREAD, TASK)}  # noqa: RUF012 - never written

    def struct(self, name: str) -> Layout | None:
        return self.structs.get(name) or super().struct(name)

    def tracepoint(self, category: str, event: str) -> Layout | None:
        what = "fd" if event.startswith("sys_enter_") else "ret"
        return layout(event, 24, *COMMON, Member(what, S64, 16))

    def locations(self, provider: str, parts: tuple[str, ...]) -> tuple[Location, ...]:
        if provider != "tracepoint":
            return super().locations(provider, parts)
        events = [(f"sys_{way}_{name}", name) for way in ("enter", "exit") for name in (*NAMES, UNKNOWN)]
        return tuple(
            Location(
                f"tracepoint:syscalls:{event}",
                target="syscalls",
                function=event,
                system_call=NAMES.index(name) if name in NAMES else -1,
            )
            for event, name in events
            if fnmatchcase(event, parts[1])
        )


class WithoutThreadInfo(Machine):
    structs = {TASK.name: TASK}  # noqa: RUF012 - never written


def plan(text: str, facts: TableFacts | None = None) -> Plan:
    return compile_program(text, facts=facts or Machine()).plan


def shared(text: str, facts: TableFacts | None = None) -> list[ProgramSpec]:
    return [spec for spec in plan(text, facts).programs if spec.shared]


@pytest.mark.parametrize(
    "body",
    ["@ = count();", "@[probe] = count();", "@[comm, pid] = sum(1);", '@[tid] = nsecs; printf("%s\\n", probe);'],
)
def test_a_body_that_does_not_look_at_the_record_is_shared(body: str) -> None:
    programs = plan(f"tracepoint:syscalls:sys_enter_* {{ {body} }}").programs
    assert [(spec.shared, len(spec.attachments)) for spec in programs] == [("sys_enter", 40), ("", 1)]
    assert [item.location.function for item in programs[1].attachments] == [f"sys_enter_{UNKNOWN}"]


def test_the_result_of_a_call_is_at_hand_at_its_end() -> None:
    text = "tracepoint:syscalls:sys_exit_* /args.ret < 0/ { @[probe, args.ret] = count(); }"
    found = plan(text)
    assert [(spec.shared, len(spec.attachments)) for spec in found.programs] == [("sys_exit", 40), ("", 1)]
    head, _, rest = found.c_source.partition("tj_probe_1")
    assert "(ctx + 8)" in head and "(ctx + 16)" not in head
    assert "(ctx + 16)" in rest


def test_entries_and_returns_in_one_probe_are_two_programs() -> None:
    text = "tracepoint:syscalls:* { @[probe] = count(); }"
    assert [spec.shared for spec in plan(text).programs] == ["sys_enter", "sys_exit", ""]


def test_places_keep_their_names() -> None:
    found = plan("tracepoint:syscalls:sys_enter_* { @[probe] = count(); }")
    for spec in found.programs:
        for item in spec.attachments:
            assert found.probe_names[item.cookie] == item.location.name or len(spec.attachments) == 1
    assert len({item.cookie for item in found.programs[0].attachments}) == 40


def test_each_program_has_a_table_of_its_own() -> None:
    text = "tracepoint:syscalls:sys_enter_* { @ = count(); } " * 2
    first, second = shared(text)
    assert first.places_map != second.places_map
    maps = {spec.index: spec for spec in plan(text).maps}
    assert maps[first.places_map].role == maps[second.places_map].role == "places"


@pytest.mark.parametrize(
    "text",
    [
        "tracepoint:syscalls:sys_enter_* { @ = sum(args.fd); }",
        "tracepoint:syscalls:sys_enter_* { @[kstack] = count(); }",
        "tracepoint:syscalls:sys_enter_* { @[ustack] = count(); }",
        "tracepoint:syscalls:sys_enter_* { @ = (uint64)ctx; }",
        "tracepoint:syscalls:sys_enter_* { for ($i : 0..3) { @[probe, $i] = 1; } }",
        "tracepoint:syscalls:sys_enter_call1* { @ = count(); }",  # eleven of them
    ],
)
def test_what_needs_the_event_or_few_places_stays(text: str) -> None:
    assert shared(text) == []


def test_a_kernel_whose_32_bit_calls_cannot_be_told_apart_keeps_the_tracepoints() -> None:
    assert shared("tracepoint:syscalls:sys_enter_* { @ = count(); }", WithoutThreadInfo()) == []


def test_a_kernel_without_attach_cookies_needs_no_program_for_each_place() -> None:
    text = "tracepoint:syscalls:sys_enter_* { @[probe] = count(); }"
    programs = plan(text, Machine(without=frozenset({"bpf_get_attach_cookie"}))).programs
    assert [(spec.shared, len(spec.attachments)) for spec in programs] == [("sys_enter", 40), ("", 1)]
