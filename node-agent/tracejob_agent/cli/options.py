"""tracejob-bpftrace's command line, as bpftrace reads its own: flags first, then the program, then its parameters."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

FORMATS = ("text", "json")
BUFFERING = ("line", "full", "none")
STAGES = ("all", "ast", "types", "codegen", "codegen-opt", "libbpf", "verifier", "parse", "dis")
_MAX_PID = 4194304
MODES = ("codegen", "compiler-bench", "bench", "test", "format")

_WITH_VALUE = {
    "-e": "expression",
    "-p": "pid",
    "--pid": "pid",
    "-c": "command",
    "--cmd": "command",
    "-o": "output",
    "--output": "output",
    "-f": "format",
    "-B": "buffering",
    "-I": "include_folder",
    "--include": "include",
    "-d": "stage",
    "--debug": "stage",
    "--mode": "mode",
    "--probe-filter": "probe_filter",
    "--no-feature": "feature",
    "--debuginfo": "debug_folder",
    "--dwarf-pid": "dwarf_pid",
    "--traceable-functions": "ignored",
    "--emit-elf": "emit",
    "--emit-llvm": "emit",
}
_FLAGS = {
    "-q": "quiet",
    "--quiet": "quiet",
    "-v": "verbose",
    "--verbose": "verbose",
    "-k": "runtime_warnings",
    "--warnings": "runtime_warnings",
    "-l": "list",
    "--list": "list",
    "-h": "help",
    "--help": "help",
    "-V": "version",
    "--version": "version",
    "--info": "info",
    "--no-warnings": "no_warnings",
    "--unsafe": "unsafe",
    "--dry-run": "dry_run",
    "--usdt-file-activation": "usdt_file_activation",
    "--test": "test",
    "--bench": "bench",
    "--fmt": "fmt",
    "--verify-llvm-ir": "ignored",
}


class UsageError(Exception):
    """A command line that can't be understood; the message is for the user. show_usage: with the list of flags."""

    def __init__(self, message: str, *, show_usage: bool = False) -> None:
        super().__init__(message)
        self.show_usage = show_usage


@dataclass(slots=True)
class Options:
    """What the user asked for. named: the program's `--name=value` parameters; "" for one without a value."""

    expression: str | None = None
    file: str | None = None
    pid: int = 0
    command: str | None = None
    output: str | None = None
    format: str = "text"
    buffering: str = "line"
    include_folders: list[Path] = field(default_factory=list)
    includes: list[str] = field(default_factory=list)
    debug_folders: list[Path] = field(default_factory=list)
    dwarf_pids: list[int] = field(default_factory=list)
    stages: set[str] = field(default_factory=set)
    mode: str = ""
    probe_filter: str = ""
    features_off: set[str] = field(default_factory=set)
    flags: set[str] = field(default_factory=set)
    positional: list[str] = field(default_factory=list)
    named: dict[str, str] = field(default_factory=dict)

    def has(self, flag: str) -> bool:
        return flag in self.flags


def parse_command_line(arguments: list[str]) -> Options:
    """Flags may stand before and behind the program; what isn't a flag there is a parameter. Raises UsageError."""
    options = Options()
    words: list[str] = []
    rest = list(arguments)
    has_program = any(word == "-e" for word in arguments)
    while rest:
        word = rest.pop(0)
        if word == "--":
            words += rest
            break
        if word == "-" or not word.startswith("-"):
            words.append(word)
        elif _is_flag(word):
            _take(word, rest, options)
        elif has_program or words:
            words.append(word)
        else:
            raise UsageError(f"unrecognized option '{word}'", show_usage=True)
    if options.expression is None and words:
        options.file = words.pop(0)
    for word in words:
        match = re.fullmatch(r"--([\w-]+)(?:=(.*))?", word, re.DOTALL)
        if match:
            options.named[match[1]] = match[2] if match[2] is not None else ""
        elif word != "--":
            options.positional.append(word)
    if options.mode == "format":
        options.flags.add("fmt")
    return options


def _is_flag(word: str) -> bool:
    if word.startswith("--"):
        name = word.partition("=")[0]
        return name in _WITH_VALUE or name in _FLAGS
    if word[:2] in _WITH_VALUE:
        return True
    return word[:2] in _FLAGS and (len(word) == 2 or _is_flag(f"-{word[2:]}"))


def _take(word: str, rest: list[str], options: Options) -> None:
    """One flag, with its value if it has one; short flags may stand together (-lv)."""
    name, equals, value = word.partition("=") if word.startswith("--") else (word, "", "")
    if name in _WITH_VALUE:
        if not equals:
            if not rest:
                raise UsageError(f"option '{name}' requires an argument", show_usage=True)
            value = rest.pop(0)
        _set(_WITH_VALUE[name], value, options)
    elif name in _FLAGS:
        options.flags.add(_FLAGS[name])
    elif not word.startswith("--") and len(word) > 2 and word[:2] in _FLAGS:
        options.flags.add(_FLAGS[word[:2]])
        _take(f"-{word[2:]}", rest, options)
    else:
        _set(_WITH_VALUE[word[:2]], word[2:], options)


def _set(name: str, value: str, options: Options) -> None:
    match name:
        case "expression":
            options.expression = value
        case "pid":
            options.pid = _pid(value)
        case "command":
            options.command = value
        case "output":
            options.output = value
        case "format":
            options.format = _one_of(value, FORMATS, "Invalid output format")
        case "buffering":
            options.buffering = _one_of(value, BUFFERING, "Invalid buffering mode")
        case "include_folder":
            options.include_folders.append(Path(value))
        case "include":
            options.includes.append(value)
        case "debug_folder":
            options.debug_folders += [Path(folder) for folder in value.split(":") if folder]
        case "dwarf_pid":
            options.dwarf_pids.append(_pid(value))
        case "stage":
            options.stages.add(_one_of(value, STAGES, "Unknown debug stage"))
        case "mode":
            options.mode = _one_of(value, MODES, "Invalid mode")
        case "probe_filter":
            options.probe_filter = value
        case "feature":
            options.features_off.update(value.split(","))
        case "emit":
            raise UsageError("USAGE: this engine makes no object file; -d codegen shows what is compiled")


def _one_of(value: str, choices: tuple[str, ...], complaint: str) -> str:
    if value not in choices:
        valid = ", ".join(f"'{choice}'" for choice in choices)
        raise UsageError(f'{complaint} "{value}"\nValid values: {valid}')
    return value


def _pid(text: str) -> int:
    if not text.isdecimal():
        raise UsageError(f"Failed to parse pid: pid '{text}' is not a valid decimal number")
    pid = int(text)
    if not 0 < pid <= _MAX_PID:
        raise UsageError(f"Failed to parse pid: pid '{text}' out of valid pid range [1,{_MAX_PID}]")
    return pid
