"""Reads test cases that a user can read: NAME / PROG / EXPECT, one blank line between cases.

A case file is plain text; `#` starts a comment line. Keys, each at the start of a line:

NAME         what behaviour the case shows (one line, unique in its file)
PROG         the program, given to `tracejob-bpftrace -e`; goes on over lines that start with blanks
RUN          instead of PROG: a shell command; {{TRACE}} is the local command, {{PROGRAMS}} the compiled test programs
ARGS         arguments after the program
EXPECT       a line (or, with several EXPECTs, several in this order) that must stand in the output
EXPECT_REGEX the same as a regular expression over the whole output
EXPECT_NONE  a text that must not stand in the output
EXPECT_JSON  the output's lines hold this JSON object
EXIT         the exit code (default 0)
CHILD        -c command
AFTER        a shell command started once everything is attached; {{TRACE_PID}} is the command's process
BEFORE       a shell command that runs while the case does; {{BEFORE_PID}} is its process
ENV          VARIABLE=value, blank separated
NEEDS        a provider that the kernel may lack (kprobe, fentry ...): the case is skipped with the kernel's reason
NEEDS_FILE   a path without which the case is skipped
LACKS        the opposite: the case is skipped where the kernel has that provider
SINCE        VERSION: REASON: skipped with the reason on older kernels
OLDER        VERSION: TEXT: on older kernels the command must fail (exit code 1) and say the text
TIMEOUT      seconds (default 15)
UPSTREAM     same: Debian's bpftrace must print the same; differs: WHY says how and why
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

KEYS = {
    "NAME", "PROG", "RUN", "ARGS", "EXPECT", "EXPECT_REGEX", "EXPECT_NONE", "EXPECT_JSON", "EXIT", "CHILD", "AFTER",
    "BEFORE", "ENV", "NEEDS", "NEEDS_FILE", "LACKS", "SINCE", "OLDER", "TIMEOUT", "UPSTREAM",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Expectation:
    kind: str  # EXPECT, EXPECT_REGEX, EXPECT_NONE, EXPECT_JSON
    text: str


@dataclass(frozen=True, slots=True)
class Older:
    """What holds on kernels before a version, given as (5, 13)."""

    version: tuple[int, int] = (0, 0)
    text: str = ""


@dataclass(slots=True)
class Case:
    name: str
    line: int
    program: str = ""
    run: str = ""
    arguments: str = ""
    expectations: list[Expectation] = field(default_factory=list)
    exit_code: int = 0
    child: str = ""
    after: str = ""
    before: str = ""
    environment: dict[str, str] = field(default_factory=dict)
    needs: str = ""
    needs_file: str = ""
    lacks: str = ""
    since: Older = Older()
    older: Older = Older()
    timeout: float = 15.0
    upstream: str = ""


def read_cases(path: Path) -> list[Case]:
    """All cases of one file, in order; raises ValueError with the line of what can't be read."""
    cases: list[Case] = []
    names: set[str] = set()
    for number, key, value in _entries(path):
        if key == "NAME":
            if value in names:
                raise ValueError(f"{path}:{number}: two cases are called {value!r}")
            names.add(value)
            cases.append(Case(name=value, line=number))
        elif not cases:
            raise ValueError(f"{path}:{number}: {key} before the first NAME")
        else:
            _set(cases[-1], key, value)
    for case in cases:
        if not (case.program or case.run):
            raise ValueError(f"{path}:{case.line}: case {case.name!r} has no PROG and no RUN")
        if not case.expectations and case.exit_code == 0:
            raise ValueError(f"{path}:{case.line}: case {case.name!r} expects nothing, so it can't fail")
    return cases


def _entries(path: Path) -> list[tuple[int, str, str]]:
    entries: list[tuple[int, str, str]] = []
    for number, line in enumerate(path.read_text().splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        if line[0].isspace():
            where, key, value = entries[-1]
            entries[-1] = (where, key, f"{value}\n{line.strip()}")
            continue
        key, _, value = line.partition(" ")
        if key not in KEYS:
            raise ValueError(f"{path}:{number}: no key {key!r}; a continued line starts with blanks")
        entries.append((number, key, value))
    return entries


def _set(case: Case, key: str, value: str) -> None:
    match key:
        case "PROG":
            case.program = value
        case "RUN":
            case.run = value
        case "ARGS":
            case.arguments = value
        case "EXIT":
            case.exit_code = int(value)
        case "CHILD":
            case.child = value
        case "AFTER":
            case.after = value
        case "BEFORE":
            case.before = value
        case "ENV":
            case.environment |= dict(item.split("=", 1) for item in value.split())
        case "NEEDS":
            case.needs = value
        case "NEEDS_FILE":
            case.needs_file = value
        case "LACKS":
            case.lacks = value
        case "SINCE":
            case.since = _older(value)
        case "OLDER":
            case.older = _older(value)
        case "TIMEOUT":
            case.timeout = float(value)
        case "UPSTREAM":
            case.upstream = value
        case _:
            case.expectations.append(Expectation(key, value))


def _older(value: str) -> Older:
    version, _, text = value.partition(": ")
    major, _, minor = version.partition(".")
    return Older((int(major), int(minor)), text)
