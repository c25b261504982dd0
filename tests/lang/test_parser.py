"""What the parser makes of each construct, shown by the printer; and the choices where the grammar has two readings."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracelang import nodes
from tracelang.parser import parse, parse_attach_points, parse_header
from tracelang.printer import print_expression, print_program
from tracelang.report import render_diagnostics
from tracelang.source import Source


def parsed(text: str, positional: tuple[str, ...] = ()) -> nodes.Program:
    program, diagnostics = parse(text, "test", positional)
    assert program is not None, render_diagnostics(diagnostics, [Source("test", text)])
    return program


def expression_of(text: str) -> nodes.Expression:
    statement = parsed(f"begin {{ _ = {text}; }}").probes[0].body.statements[0]
    assert isinstance(statement, nodes.Discard)
    return statement.value


def statement_of(text: str) -> nodes.Statement:
    (statement,) = parsed(f"begin {{ {text} }}").probes[0].body.statements
    return statement


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("1 + 2 * 3", "1 + 2 * 3"),
        ("(1 + 2) * 3", "(1 + 2) * 3"),
        ("1 - 2 - 3", "1 - 2 - 3"),
        ("1 - (2 - 3)", "1 - (2 - 3)"),
        ("1 || 2 && 3 | 4 ^ 5 & 6 == 7 < 8 << 9 + 10", "1 || 2 && 3 | 4 ^ 5 & 6 == 7 < 8 << 9 + 10"),
        ("(1 == 2) == 3", "1 == 2 == 3"),
        ("(a ? b : c) ? d : e ? f : g", "(a ? b : c) ? d : e ? f : g"),
        ("a ?: b", "a ?: b"),
        ("- -1", "-(-1)"),
        ("-$x * 2", "-$x * 2"),
        ("!$x.y->z[1].2", "!$x.y->z[1].2"),
        ("*$x++", "*$x++"),
        ("*(struct foo *)$x", "*(struct foo *)$x"),
        ("(uint8)$x.y + 1", "(uint8)$x.y + 1"),
        ("(uint8[8])arg0", "(uint8[8])arg0"),
        ("(foo_t **)arg0", "(foo_t **)arg0"),
        ("(unsigned long)arg0", "(unsigned long)arg0"),
        ("(const char *)arg0", "(char *)arg0"),
        ("(foo)$x", "(foo)$x"),
        ("(foo) - 1", "(foo)-1"),
        ("(pid) - 1", "pid - 1"),
        ("(arg0) * 2", "arg0 * 2"),
        ("(foo) + 1", "foo + 1"),
        ("(typeof($x))1", "(typeof($x))1"),
        ("(typeof(struct foo *))1", "(struct foo *)1"),
        ("()", "()"),
        ("(1,)", "(1,)"),
        ("(1, (2, 3))", "(1, (2, 3))"),
        ('(a=1, b="x")', '(a=1, b="x")'),
        ("@a[1, 2][3]", "@a[1, 2][3]"),
        ("@", "@"),
        ("&@a", "&@a"),
        ("sizeof(struct foo *)", "sizeof(struct foo *)"),
        ("sizeof($x + 1)", "sizeof($x + 1)"),
        ("sizeof(foo_t)", "sizeof(foo_t)"),
        ("offsetof(struct foo, a.b)", "offsetof(struct foo, a.b)"),
        ("offsetof(*curtask, comm)", "offsetof(*curtask, comm)"),
        ("typeof($x) == typeof(int)", "typeof($x) == typeof(int)"),
        ("typeinfo(struct foo)", "typeinfo(typeof(struct foo))"),
        ("comptime (1 == 1)", "comptime (1 == 1)"),
        ("{ $x }", "({ $x })"),
        ("if 1 { 2 } else { 3 }", "1 ? ({ 2 }) : ({ 3 })"),
        ("$1 + $#", "$1 + $#"),
        ("args.struct.if", "args.struct.if"),
        (r'"a\x41\102\"\\"', r'"aAB\"\\"'),
        ('"é\\xff"', r'"é\xff"'),
        ("1e3 + 0x1F + 1_000 + 5ms + 017", "1e3 + 0x1F + 1_000 + 5ms + 017"),
    ],
)
def test_expression(written: str, read: str) -> None:
    assert print_expression(expression_of(written)) == read


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("0", 0),
        ("017", 15),
        ("0x1f", 31),
        ("0X1F", 31),
        ("1_000", 1000),
        ("2e3", 2000),
        ("123UL", 123),
        ("5ns", 5),
        ("1us", 1_000),
        ("1e3ms", 1_000_000_000),
        ("1m", 60_000_000_000),
        ("1h", 3_600_000_000_000),
        ("1d", 86_400_000_000_000),
        ("18446744073709551615", (1 << 64) - 1),
    ],
)
def test_number(written: str, value: int) -> None:
    number = expression_of(written)
    assert isinstance(number, nodes.Integer)
    assert number.value == value


@given(st.integers(0, (1 << 64) - 1))
def test_numbers_mean_themselves_in_every_base(value: int) -> None:
    for text in (str(value), hex(value), f"0{value:o}" if value else "0"):
        number = expression_of(text)
        assert isinstance(number, nodes.Integer)
        assert number.value == value


@pytest.mark.parametrize(
    ("written", "kind"),
    [
        ("$x = 1;", nodes.Assign),
        ("@a[1] += 2", nodes.Assign),
        ("let $x: struct foo *;", nodes.Declare),
        ("let $x : uint64 = 3", nodes.Declare),
        ("_ = f(1);", nodes.Discard),
        ("@x++;", nodes.ExpressionStatement),
        ("{ $x = 1 }", nodes.Block),
        ("if pid == 1 { }", nodes.If),
        ("if (pid == 1) { } else if (pid) { } else { };", nodes.If),
        ("while 1 { break; }", nodes.While),
        ("while ($x) < 5 { continue }", nodes.While),
        ("unroll(3) { }", nodes.Unroll),
        ("unroll 3 { }", nodes.Unroll),
        ("for ($kv : @a) { }", nodes.ForMap),
        ("for $kv : @a { }", nodes.ForMap),
        ("for ($i : 0..5) { }", nodes.ForRange),
        ("for ($i : 0..$n + 1) { }", nodes.ForRange),
        ("return", nodes.Jump),
        ("return 1;", nodes.Jump),
    ],
)
def test_statement(written: str, kind: type[nodes.Statement]) -> None:
    assert isinstance(statement_of(written), kind)


def test_semicolons_are_optional_behind_braces_and_at_the_end() -> None:
    body = parsed("begin { if 1 { } print(1);; { } print(2) }").probes[0].body
    assert [type(statement).__name__ for statement in body.statements] == [
        "If",
        "ExpressionStatement",
        "Block",
        "ExpressionStatement",
    ]


def test_if_at_the_end_of_a_macro_is_its_value() -> None:
    (macro,) = parsed("macro m(x) { if (x) { 1 } else if (x > 1) { 2 } else { 3 } } begin { }").macros
    assert isinstance(macro.body.value, nodes.Ternary)
    (silent,) = parsed("macro m(x) { if (x) { f(1); } else { f(2); } } begin { }").macros
    assert silent.body.value is None


def test_parameter_of_a_macro_is_a_value_in_parentheses() -> None:
    (macro,) = parsed("macro m(x) { (x) - 1 } begin { }").macros
    assert isinstance(macro.body.value, nodes.Binary)


def test_slash_divides_or_closes_the_predicate() -> None:
    first, second = parsed("kprobe:f / arg0 / 2 == 1 / { } kprobe:g /(arg0) / 2/\n// why\n{ }").probes
    assert first.predicate is not None
    assert print_expression(first.predicate) == "arg0 / 2 == 1"
    assert second.predicate is not None
    assert print_expression(second.predicate) == "arg0 / 2"


@pytest.mark.parametrize(
    ("written", "parts"),
    [
        ("begin", ("begin",)),
        ("t:syscalls:sys_enter_*", ("t", "syscalls", "sys_enter_*")),
        ('uprobe:"/bin/a b":"ns::f(int, char)"', ("uprobe", "/bin/a b", "ns::f(int, char)")),
        ("uprobe:/lib/x.so.6:main+0x10", ("uprobe", "/lib/x.so.6", "main+0x10")),
        ("uprobe:/bin//x:f", ("uprobe", "/bin//x", "f")),
        ("usdt::probe", ("usdt", "", "probe")),
        ("interval:s:$1", ("interval", "s", "5")),
        ("kprobe:$2_*:x$1", ("kprobe", "vfs_*", "x5")),
        ("kprobe:a$9", ("kprobe", "a")),
        ("watchpoint:0x10000000:8:rw", ("watchpoint", "0x10000000", "8", "rw")),
        ("kprobe:f[0-9]?", ("kprobe", "f[0-9]?")),
    ],
)
def test_attach_point(written: str, parts: tuple[str, ...]) -> None:
    (point,) = parsed(f"{written} {{ }}", ("5", "vfs")).probes[0].attach_points
    assert point.parts == parts
    assert point.provider == parts[0]
    listed, _ = parse_attach_points(written, ("5", "vfs"))
    assert listed is not None
    assert listed[0].parts == parts


def test_parameter_can_not_add_a_probe() -> None:
    (point,) = parsed("kprobe:$1 { }", ("f,kprobe:g:h {",)).probes[0].attach_points
    assert point.parts == ("kprobe", "f,kprobe", "g", "h {")


def test_parameter_can_be_a_whole_probe() -> None:
    (point,) = parsed("$1 { }", ("interval:ms:1",)).probes[0].attach_points
    assert (point.provider, point.parts) == ("interval", ("interval", "ms", "1"))


def test_several_attach_points_and_a_trailing_comma() -> None:
    probe = parsed("kprobe:f /* one */, // two\nk:g,\n{ }").probes[0]
    assert [point.text for point in probe.attach_points] == ["kprobe:f", "k:g"]


_PREAMBLE = """#!/usr/bin/env bpftrace
#include <linux/sched.h>
#include "own.h"
#define LIMIT 4
#define TWICE(x) \\
   ((x) * 2)
struct foo { int a, *b; char c[LIMIT]; unsigned d : 3; struct { long e; } f; union { int g; }; int (*h)(int); }
enum color { RED, GREEN = 1 << 3, BLUE };
typedef struct { int x; } point_t;
struct later;
config = { max_map_keys = 10; stack_mode = perf; print_maps_on_exit = false }
import "lib.bt";
let @m = lruhash(100);
macro add($a, @b, c) { $a + c }
fn f($a: int64, $b: string[16]): int64 { return $a; }
begin { }
"""


def test_preamble() -> None:
    program = parsed(_PREAMBLE)
    assert [type(item).__name__ for item in program.c_definitions] == [
        *("CInclude", "CInclude", "CDefine", "CDefine", "CStruct", "CEnum", "CTypedef")
    ]
    struct = program.c_definitions[4]
    assert isinstance(struct, nodes.CStruct)
    assert [(member.name, member.type.pointers, member.type.dimensions, member.bits) for member in struct.fields] == [
        ("a", 0, (), None),
        ("b", 1, (), None),
        ("c", 0, (4,), None),
        ("d", 0, (), 3),
        ("f", 0, (), None),
        ("", 0, (), None),
        ("h", 1, (), None),
    ]
    enum = program.c_definitions[5]
    assert isinstance(enum, nodes.CEnum)
    assert enum.variants == (("RED", 0), ("GREEN", 8), ("BLUE", 9))
    define = program.c_definitions[3]
    assert isinstance(define, nodes.CDefine)
    assert (define.parameters, define.text) == (("x",), "((x) * 2)")
    assert [(entry.name, entry.value) for entry in program.config] == [
        ("max_map_keys", 10),
        ("stack_mode", "perf"),
        ("print_maps_on_exit", False),
    ]
    assert [item.path for item in program.imports] == ["lib.bt"]
    assert [(item.name, item.kind, item.max_entries) for item in program.map_declarations] == [("m", "lruhash", 100)]
    assert print_program(parsed(print_program(program))) == print_program(program)


def test_conditions_of_the_preprocessor() -> None:
    text = "#ifndef BPFTRACE_HAVE_BTF\n#include <net/sock.h>\nstruct gone { }\n#else\n#define HERE 1\n#endif\nbegin { }"
    (definition,) = parsed(text).c_definitions
    assert isinstance(definition, nodes.CDefine)


def test_hash_inside_of_strings_and_comments_is_no_directive() -> None:
    program = parsed('/*\n#define A 1\n*/ begin { printf("x\\\n");\n}'.replace("\\\n", "\\n"))
    assert program.c_definitions == ()


def test_header_gives_its_types_and_skips_the_rest() -> None:
    text = """
    #define SIZE 8
    extern int f(struct foo *x);
    static inline int g(void) { if (1) { return 2; } return 3; }
    struct foo { int a[SIZE]; } __attribute__((packed));
    int variable = 5;
    typedef unsigned int u32_t, *u32_p;
    typedef int (*callback_t)(void *);
    enum { ONE = 1 };
    __extension__ nonsense ( [ ] ) here;
    struct bar { struct foo f; u32_t b; };
    """
    names = [item.name for item in parse_header(text) if not isinstance(item, nodes.CInclude)]
    assert names == ["SIZE", "foo", "u32_t", "u32_p", "callback_t", "", "bar"]


def test_spans_cover_what_they_name() -> None:
    text = "begin { $x = foo(1, 2) + 3; }"
    statement = parsed(text).probes[0].body.statements[0]
    assert isinstance(statement, nodes.Assign)
    assert isinstance(statement.value, nodes.Binary)
    left = statement.value.left
    assert text[left.span.start : left.span.end] == "foo(1, 2)"
    assert text[statement.span.start : statement.span.end] == "$x = foo(1, 2) + 3"
