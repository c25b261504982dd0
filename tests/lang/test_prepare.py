"""Macros, #defines, imports and includes: the program before and after."""

from __future__ import annotations

import pytest

from lang.files import NoFacts
from tracelang import nodes
from tracelang.diagnostics import Diagnostics
from tracelang.parser import parse
from tracelang.prepare import prepare
from tracelang.printer import print_program
from tracelang.source import Source


def prepared(
    text: str, files: dict[str, str] | None = None, name: str = "main.bt"
) -> tuple[nodes.Program, Diagnostics]:
    program, diagnostics = parse(text, name)
    assert program is not None, diagnostics.items
    result = prepare(program, sources=[Source(name, text)], facts=NoFacts(files), diagnostics=diagnostics)
    return result, diagnostics


def body_of(text: str, files: dict[str, str] | None = None) -> str:
    """The statements of the last probe, in one line each."""
    program, diagnostics = prepared(text, files)
    assert not diagnostics.failed, diagnostics.items
    printed = print_program(nodes.Program(program.span, (), (), (), (), (), (), program.probes[-1:]))
    return " ".join(printed.split()).removeprefix("begin { ").removesuffix(" }")


@pytest.mark.parametrize(
    ("program", "body"),
    [
        ("macro one() { 1 } begin { print(one); print(one()); }", "print(({ 1 })); print(({ 1 }));"),
        ("macro add(x) { x + 1 } begin { print(add(2 * 3)); }", "print(({ 2 * 3 + 1 }));"),
        ("macro twice(x) { x * 2 } begin { print(twice(1 + 2)); }", "print(({ (1 + 2) * 2 }));"),
        ("macro bump($v) { $v += 1; } begin { $x = 1; bump($x); }", "$x = 1; { $x += 1; };"),
        ("macro note(@m, k) { @m[k] = 1; } begin { note(@seen, pid); }", "{ @seen[pid] = 1; };"),
        (
            "macro own(x) { let $v = x; $v } begin { $v = 5; print(own($v)); }",
            "$v = 5; print(({ let $__own_0_v = $v; $__own_0_v }));",
        ),
        ("macro a(x) { x } macro b(x) { a(x + 1) } begin { print(b(1)); }", "print(({ ({ 1 + 1 }) }));"),
        ("macro value(x) { x } begin { @m = 1; print(value(@m)); }", "@m = 1; print(({ ({ @m }) }));"),
        ("macro a(x) { 1 } macro a(x, y) { 2 } begin { print(a(1, 1)); }", "print(({ 2 }));"),
        ("macro a($x) { 1 } macro a(x) { 2 } begin { print(a($y)); print(a(3)); }", "print(({ 1 })); print(({ 2 }));"),
        ("macro pid(x) { x } begin { print(pid); print(pid(1)); }", "print(pid); print(({ 1 }));"),
        ("macro read($x) { $x + 1 } begin { print(read(1 + 1)); }", "print(({ 1 + 1 + 1 }));"),
        ("#define N (1 << 4)\nbegin { print(N * 2); }", "print((1 << 4) * 2);"),
        ("#define A 1\n#define B A + A\nbegin { print(B); }", "print(1 + 1);"),
        ("#define TWICE(x) ((x) * 2)\nbegin { print(TWICE(3)); }", "print(3 * 2);"),
        ("#define T uint64\nbegin { print((T)1); }", "print((uint64)1);"),
        ("#define SELF SELF + 1\nbegin { print(SELF); }", "print(SELF + 1);"),
        ("#define x 5\nmacro m(x) { x } begin { print(m(1)); }", "print(({ 1 }));"),
        ("#include <sys/socket.h>\nbegin { print(AF_INET6); print(AT_FDCWD); }", "print(10); print(-100);"),
        ("enum e { AF_INET = 99 }; begin { print(AF_INET); }", "print(AF_INET);"),
        ("#define AF_INET 99\nbegin { print(AF_INET); }", "print(99);"),
    ],
)
def test_expansion(program: str, body: str) -> None:
    assert body_of(program) == body


def test_variables_of_two_expansions_do_not_meet() -> None:
    text = "macro own(x) { let $v = x; $v } begin { $__own_0_v = 1; print(own(own(2))); }"
    program, diagnostics = prepared(text)
    assert not diagnostics.failed
    names = print_program(program)
    assert "$__own_1_v" in names
    assert "$__own_2_v" in names


def test_imported_macros_and_probes_come_first() -> None:
    files = {"dir/lib.bt": 'import "more.bt"; macro seven() { 7 } begin { print("lib"); }', "dir/more.bt": "end { }"}
    program, diagnostics = prepared('import "lib.bt"; begin { print(seven()); }', files, name="dir/main.bt")
    assert not diagnostics.failed
    assert [probe.attach_points[0].text for probe in program.probes] == ["end", "begin", "begin"]
    assert program.macros == ()


def test_files_that_import_each_other_count_once() -> None:
    files = {"a.bt": 'import "b.bt"; begin { print("a"); }', "b.bt": 'import "a.bt"; begin { print("b"); }'}
    program, diagnostics = prepared('import "a.bt"; import "b.bt"; begin { }', files)
    assert not diagnostics.failed
    assert len(program.probes) == 3


def test_parts_of_the_library_need_no_file() -> None:
    text = 'import "stdlib"; import "stdlib/strings"; import "stdlib/test"; begin { print(__always_true()); }'
    program, diagnostics = prepared(text)
    assert not diagnostics.failed
    assert "__always_true" not in print_program(program)
    assert prepared('import "stdlib/nothing"; begin { }')[1].failed


def test_mistake_in_an_import_points_into_it() -> None:
    text = 'import "a.bt"; begin { }'
    program, diagnostics = parse(text, "main.bt")
    assert program is not None
    sources = [Source("main.bt", text)]
    prepare(program, sources=sources, facts=NoFacts({"a.bt": "begin { print(1; }"}), diagnostics=diagnostics)
    assert diagnostics.failed
    assert sources[diagnostics.items[0].span.source].name == "a.bt"


def test_own_headers_bring_types_and_numbers() -> None:
    files = {"types.h": '#include "inner.h"\nstruct foo { int a; };\n#define LIMIT 5', "inner.h": "enum { ONE = 1 };"}
    program, diagnostics = prepared('#include "types.h"\nbegin { print(LIMIT); }', files)
    assert not diagnostics.failed
    assert {type(item).__name__ for item in program.c_definitions} == {"CEnum", "CStruct", "CDefine"}


def test_doubling_macros_end_in_a_diagnostic() -> None:
    lines = ["macro m0(x) { x + x }"]
    lines += [f"macro m{level}(x) {{ m{level - 1}(x) + m{level - 1}(x) }}" for level in range(1, 40)]
    _, diagnostics = prepared("\n".join(lines) + "\nbegin { print(m39(1)); }")
    assert [item.message for item in diagnostics.items] == ["the macros of this program expand to too much"]


def test_doubling_defines_end_in_a_diagnostic() -> None:
    lines = ["#define D0 1"] + [f"#define D{level} D{level - 1} + D{level - 1}" for level in range(1, 40)]
    _, diagnostics = prepared("\n".join(lines) + "\nbegin { print(D39); }")
    assert [item.message for item in diagnostics.items] == ["the #defines of this program expand to too much"]


def test_system_headers_may_be_missing_and_others_may_not() -> None:
    _, diagnostics = prepared("#include <linux/sched.h>\n#include <errno.h>\n#include <net/sock.h>\nbegin { }")
    assert not diagnostics.failed
    _, diagnostics = prepared("#include <lol/no.h>\nbegin { }")
    assert [item.message for item in diagnostics.items] == ["'lol/no.h' file not found"]
