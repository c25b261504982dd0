"""tracejob-bpftrace's command line, as bpftrace reads its own: flags first, then the program, then its parameters.

Part of the start: nothing may be imported here that takes long (docs/decisions/0002-direct-start.md).
"""

import os

FORMATS = ("text", "json")
BUFFERING = ("line", "full", "none")
STAGES = ("all", "ast", "types", "codegen", "codegen-opt", "libbpf", "verifier", "parse", "dis")
FEATURES = ("kprobe_multi", "kprobe_session", "uprobe_multi")
_MAX_PID = 4194304
_LARGEST = (1 << 64) - 1
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
    "--traceable-functions": "traceable",
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
_PLAIN_FLAGS = {"quiet", "unsafe", "no_warnings", "runtime_warnings", "usdt_file_activation", "ignored"}


class UsageError(Exception):
    """A command line that can't be understood; the message is for the user. show_usage: with the list of flags."""

    def __init__(self, message: str, *, show_usage: bool = False) -> None:
        super().__init__(message)
        self.show_usage = show_usage


class Options:
    """What the user asked for. named: the program's `--name=value` parameters; "" for one without a value."""

    def __init__(self) -> None:
        self.expression: str | None = None
        self.file: str | None = None
        self.pid = 0
        self.pid_text: str | None = None  # of -p, until the program has been found
        self.command: str | None = None
        self.output: str | None = None
        self.format = "text"
        self.buffering = "line"
        self.include_folders: list[str] = []
        self.includes: list[str] = []
        self.debug_folders: list[str] = []
        self.dwarf_pids: list[int] = []
        self.traceable = ""  # a file of kernel functions
        self.stages: set[str] = set()
        self.mode = ""
        self.probe_filter = ""
        self.features_off: set[str] = set()
        self.flags: set[str] = set()
        self.positional: list[str] = []
        self.named: dict[str, str] = {}

    def has(self, flag: str) -> bool:
        return flag in self.flags

    def is_plain(self) -> bool:
        """Whether all that is asked for is to trace the whole machine and to print."""
        asked = (
            self.pid_text,
            self.pid,
            self.command,
            self.output,
            self.stages,
            self.mode,
            self.probe_filter,
            self.features_off,
            self.dwarf_pids,
        )
        return not any(asked) and self.format == "text" and self.flags <= _PLAIN_FLAGS

    def key(self) -> str:
        """All of it as text, the same in every process."""
        values: list[tuple[str, object]] = sorted(vars(self).items())
        if self.traceable:
            values.append(("traceable_time", _time_of(self.traceable)))
        return repr([(name, sorted(value) if isinstance(value, set) else value) for name, value in values])


def parse_command_line(arguments: list[str]) -> Options:
    """Flags may stand before and behind the program; the program's own `--name=value` stand behind `--`.

    Raises UsageError.
    """
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
        elif (has_program or words) and not word.startswith("--"):
            words.append(word)  # -7
        else:
            raise UsageError(f"unrecognized option '{word}'", show_usage=True)
    if options.expression is None and words:
        options.file = words.pop(0)
    for word in words:
        name, _, value = word[2:].partition("=")
        if word.startswith("--") and name.replace("-", "").replace("_", "").isalnum():
            options.named[name] = value
        elif word != "--":
            options.positional.append(word)
    if options.pid and options.command is not None:
        raise UsageError("USAGE: Cannot use both -c and -p.", show_usage=True)
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
    if word == "-kk":
        raise UsageError("USAGE: -kk has been deprecated. Use a single -k: it tells of failed lookups and reads.")
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
            options.pid_text = value
        case "command":
            options.command = value
        case "output":
            options.output = value
        case "format":
            if value not in FORMATS:
                raise UsageError(f'Invalid output format "{value}"\nValid formats: {_listed(FORMATS)}')
            options.format = value
        case "buffering":
            if value not in BUFFERING:
                raise UsageError("USAGE: -B must be either 'line', 'full', or 'none'.")
            options.buffering = value
        case "include_folder":
            options.include_folders.append(value)
        case "include":
            options.includes.append(value)
        case "debug_folder":
            options.debug_folders += [folder for folder in value.split(":") if folder]
        case "dwarf_pid":
            options.dwarf_pids.append(parse_pid(value))
        case "traceable":
            options.traceable = value
        case "stage":
            if value not in STAGES:
                raise UsageError(f"USAGE: invalid option for -d: {value}\nValid values: {_listed(STAGES)}")
            options.stages.add(value)
        case "mode":
            if value not in MODES:
                raise UsageError(f"USAGE: --mode can only be {_listed(MODES[:-1])} or '{MODES[-1]}'.")
            options.mode = value
        case "probe_filter":
            options.probe_filter = value
        case "feature":
            unknown = set(value.split(",")) - set(FEATURES)
            if unknown:
                raise UsageError(f"USAGE: --no-feature can only have values '{','.join(FEATURES)}'.")
            options.features_off.update(value.split(","))
        case "emit":
            raise UsageError("USAGE: this engine makes no object file; -d codegen shows what is compiled")


def _time_of(path: str) -> int:
    try:
        return os.stat(path).st_mtime_ns  # noqa: PTH116 - part of the start
    except OSError:
        return 0


def _listed(choices: tuple[str, ...]) -> str:
    return ", ".join(f"'{choice}'" for choice in choices)


def parse_pid(text: str) -> int:
    """The number of -p. Raises UsageError."""
    if not text.isdecimal():
        kind = "trailing bytes" if text[:1].isdecimal() else "integer"
        raise UsageError(f"Failed to parse pid: invalid {kind}: {text}")
    pid = int(text)
    if pid > _LARGEST:
        raise UsageError(f"Failed to parse pid: overflow error, maximum value is {_LARGEST}: {text}")
    if not 0 < pid <= _MAX_PID:
        raise UsageError(f"Pid out of range: {text}")
    return pid
