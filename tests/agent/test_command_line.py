"""tracejob-bpftrace's command line: what bpftrace's users and scripts write."""

from __future__ import annotations

import pytest

from tracejob_agent.cli.environment import settings_of
from tracejob_agent.cli.options import UsageError, parse_command_line


def test_flags_stop_at_the_program() -> None:
    options = parse_command_line(["-q", "-f", "json", "script.bt", "-v", "5"])
    assert options.file == "script.bt"
    assert options.has("quiet")
    assert not options.has("verbose")
    assert options.format == "json"
    assert options.positional == ["-v", "5"]


def test_parameters_of_the_program_are_positional_or_named() -> None:
    options = parse_command_line(["-e", "begin {}", "a", "--name=x y", "--flag", "b"])
    assert options.positional == ["a", "b"]
    assert options.named == {"name": "x y", "flag": ""}


def test_two_dashes_part_flags_from_parameters() -> None:
    options = parse_command_line(["-e", "begin {}", "--", "--x=1", "2"])
    assert options.named == {"x": "1"}
    assert options.positional == ["2"]


def test_short_flags_stand_together() -> None:
    options = parse_command_line(["-lv", "tracepoint:*"])
    assert options.has("list")
    assert options.has("verbose")
    assert options.file == "tracepoint:*"


def test_values_may_stand_behind_an_equals_sign() -> None:
    assert parse_command_line(["--pid=7", "--mode=codegen", "x.bt"]).pid == 7


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--foo"], "unrecognized option '--foo'"),
        (["-e"], "requires an argument"),
        (["-f", "xml", "-e", "x"], "Invalid output format"),
        (["-p", "abc", "-e", "x"], "isn't a process number"),
        (["-p", "99999999", "-e", "x"], "out of range"),
        (["-B", "some", "-e", "x"], "Invalid buffering mode"),
    ],
)
def test_a_command_line_that_makes_no_sense_is_refused(arguments: list[str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        parse_command_line(arguments)


def test_environment_variables_are_settings() -> None:
    settings = settings_of({"BPFTRACE_MAX_STRLEN": "70", "BPFTRACE_NO_CPP_DEMANGLE": "1", "HOME": "/root"})
    assert settings == {"max_strlen": "70", "cpp_demangle": "false"}
