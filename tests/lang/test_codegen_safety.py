"""No byte of a program is ever C: strings are numbers, names are made, comments are harmless."""

from __future__ import annotations

import re
import string

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lang.facts_table import LIBRARY, TableFacts
from tracelang.codegen.values import comment, literal, safe_name, string_words
from tracelang.compiler import compile_program
from tracelang.diagnostics import ProgramError
from tracelang.facts import Location, Signature
from tracelang.plan import CompileOptions
from tracelang.types import S8, S64, U64

_COMMENT = re.compile(r"/\*.*?\*/", re.S)
_C_BYTES = set(string.ascii_letters + string.digits + " \n_#()[]{}<>=+-*/%&|^~!?:;,.\"'")


_HOSTILE = (
    "INJECTED",
    "*/ INJECTED /*",
    'INJECTED"; } int INJECTED(void) { return 1; } /*',
    "INJECTED \\",
    "INJECTED\n#include </etc/passwd>\n",
    "??/\nINJECTED",
    "INJECTED%s%n{{ INJECTED }}",
    "$(INJECTED) `INJECTED`",
    "\u202eINJECTED\x00\x1b[0m",
)


class HostileFacts(TableFacts):
    """A machine whose files and functions are called anything."""

    def locations(self, provider: str, parts: tuple[str, ...]) -> tuple[Location, ...]:
        name = f"{provider}:{':'.join(parts)}"
        return (Location(name, target=parts[0], function=parts[-1]),)

    def user_function(self, path: str, function: str) -> Signature | None:
        return super().user_function(LIBRARY, "buy")


def code_of(program: str, options: CompileOptions | None = None, facts: TableFacts | None = None) -> str:
    """The C without its comments."""
    compiled = compile_program(program, facts=facts or TableFacts(), options=options or CompileOptions())
    return _COMMENT.sub("", compiled.plan.c_source)


def escaped(text: str) -> str:
    """A string literal of the language."""
    return "".join(f"\\x{byte:02x}" for byte in text.encode())


@given(st.text(max_size=40))
@example("*/ int INJECTED(void) { return 1; } /*")
@example('INJECTED"; }\n#include "/etc/passwd"\n/*')
@example("INJECTED \\\n ??/ \x01\x02")
def test_strings_are_numbers(text: str) -> None:
    code = code_of(
        f'begin {{ @ = "{escaped("INJECTED" + text)}"; printf("{escaped("INJECTED")}%s", "{escaped(text)}x"); }}'
    )
    assert "INJECTED" not in code
    assert set(code) <= _C_BYTES


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=40))
@example("*/ INJECTED /*")
@example("??/\nINJECTED")
def test_comments_of_the_program_stay_comments(text: str) -> None:
    block = text.replace("*/", "")
    line = next(iter(text.splitlines()), "")
    program = f"begin {{ /* INJECTED {block} */ @a = 1; // {line}\n @b = 2; }}"
    try:
        code = code_of(program)
    except ProgramError:
        return  # not a program
    assert "INJECTED" not in code


@pytest.mark.parametrize("text", _HOSTILE)
def test_parameters_are_numbers(text: str) -> None:
    options = CompileOptions(positional=(text,), named={"name": text})
    program = (
        'begin { @[str($1)] = getopt("name", "x"); printf("%s", str($1)); print(str($1 + 1)); if (str($1) == "a") { } }'
    )
    code = code_of(program, options)
    assert "INJECTED" not in code
    assert set(code) <= _C_BYTES


@pytest.mark.parametrize("text", _HOSTILE)
def test_settings_are_no_code(text: str) -> None:
    for name in ("str_trunc_trailer", "stack_mode", "license", "max_strlen"):
        try:
            code = code_of("begin { print(kstack); @ = 1; }", CompileOptions(config={name: text}))
        except ProgramError:
            continue  # not a value of that setting
        assert "INJECTED" not in code


@pytest.mark.parametrize("text", _HOSTILE)
@pytest.mark.parametrize("probe", ['uprobe:"/{}":buy', 'uprobe:/bin/shop:"{}"', 'uretprobe:"/{}":"{}"'])
def test_paths_and_functions_of_probes_are_no_code(probe: str, text: str) -> None:
    quoted = escaped(text)
    program = f'{probe.replace("{}", quoted)} {{ @[probe, func] = count(); printf("%s %d", probe, pid); }}'
    code = code_of(program, facts=HostileFacts())
    assert "INJECTED" not in code
    assert set(code) <= _C_BYTES


@given(st.text(max_size=200))
@example("**//")
@example("*\\\n/")
@example("?" * 200)
def test_a_comment_cannot_end_itself(text: str) -> None:
    made = comment(text)
    assert "*/" not in made
    assert "/*" not in made
    assert "??" not in made
    assert "\\" not in made
    assert all(" " <= char <= "~" for char in made)
    assert len(made) <= 96


@given(st.text(max_size=20))
def test_only_plain_names_become_part_of_identifiers(text: str) -> None:
    assert re.fullmatch(r"([A-Za-z_][A-Za-z0-9_]*)?", safe_name(text))


@given(st.binary(min_size=1, max_size=64), st.sampled_from([1, 2, 4, 8]))
def test_words_of_a_constant_cover_it_once_and_aligned(data: bytes, alignment: int) -> None:
    made = bytearray(len(data))
    end = 0
    for offset, size, number in string_words(data, alignment=alignment):
        assert offset == end
        assert offset % size == 0
        made[offset : offset + size] = number.to_bytes(size, "little")
        end = offset + size
    assert made == data


def test_literals_stay_in_the_range_of_their_type() -> None:
    assert literal(-(2**63), S64) == "(-9223372036854775807LL - 1)"
    assert literal(2**64 - 1, U64) == "18446744073709551615ULL"
    assert literal(200, S8) == "(-56)"
