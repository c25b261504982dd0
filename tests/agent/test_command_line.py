"""tracejob-bpftrace's command line: what bpftrace's users and scripts write."""

from __future__ import annotations

import pytest

from tracejob_agent.cli.child import command_words
from tracejob_agent.cli.environment import settings_of
from tracejob_agent.cli.options import UsageError, parse_command_line, parse_pid


def test_flags_stand_before_and_behind_the_program() -> None:
    options = parse_command_line(["-q", "-f", "json", "script.bt", "--no-warnings", "5", "-7", "--", "-v"])
    assert options.file == "script.bt"
    assert options.has("quiet")
    assert options.has("no_warnings")
    assert not options.has("verbose")
    assert options.format == "json"
    assert options.positional == ["5", "-7", "-v"]


def test_parameters_of_the_program_are_positional_or_named() -> None:
    options = parse_command_line(["-e", "begin {}", "a", "--", "--name=x y", "--flag", "b"])
    assert options.positional == ["a", "b"]
    assert options.named == {"name": "x y", "flag": ""}


def test_two_dashes_part_flags_from_parameters() -> None:
    options = parse_command_line(["-e", "begin {}", "2", "--", "--x=1", "--info"])
    assert options.named == {"x": "1", "info": ""}
    assert options.positional == ["2"]
    assert not options.has("info")


def test_short_flags_stand_together() -> None:
    options = parse_command_line(["-lv", "tracepoint:*"])
    assert options.has("list")
    assert options.has("verbose")
    assert options.file == "tracepoint:*"


def test_values_may_stand_behind_an_equals_sign() -> None:
    options = parse_command_line(["--pid=7", "--mode=codegen", "x.bt"])
    assert (options.pid_text, options.mode) == ("7", "codegen")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("abc", "invalid integer: abc"),
        ("12x", "invalid trailing bytes: 12x"),
        ("99999999", "Pid out of range: 99999999"),
        ("99999999999999999999", "overflow error"),
        ("0", "Pid out of range: 0"),
    ],
)
def test_a_process_needs_a_number(text: str, message: str) -> None:
    assert parse_pid("4194304") == 4194304
    with pytest.raises(UsageError, match=message):
        parse_pid(text)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--foo"], "unrecognized option '--foo'"),
        (["-e", "begin {}", "--limit=5"], "unrecognized option '--limit=5'"),
        (["-e"], "requires an argument"),
        (["-f", "xml", "-e", "x"], "Invalid output format"),
        (["-B", "some", "-e", "x"], "must be either 'line', 'full', or 'none'"),
        (["--mode", "fast", "x.bt"], "--mode can only be 'codegen'"),
        (["-d", "everything", "x.bt"], "invalid option for -d: everything"),
        (["--no-feature", "probes", "x.bt"], "can only have values 'kprobe_multi,"),
        (["-kk", "x.bt"], "a single -k"),
    ],
)
def test_a_command_line_that_makes_no_sense_is_refused(arguments: list[str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        parse_command_line(arguments)


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("./shop  --fast 3", ["./shop", "--fast", "3"]),
        ("sh -c 'sleep 1; true'", ["sh", "-c", "sleep 1; true"]),
        ('./shop --name="a b" c\\ d', ["./shop", "--name=a b", "c d"]),
        ("echo 'x' \"y\"", ["echo", "'x'", '"y"']),
        ("echo it's", ["echo", "it's"]),
        (" ", []),
    ],
)
def test_quotes_of_a_child_s_command_keep_blanks_together(command: str, words: list[str]) -> None:
    assert command_words(command) == words


def test_environment_variables_are_settings() -> None:
    settings = settings_of({"BPFTRACE_MAX_STRLEN": "70", "BPFTRACE_NO_CPP_DEMANGLE": "1", "HOME": "/root"})
    assert settings == {"max_strlen": "70", "cpp_demangle": "false"}
