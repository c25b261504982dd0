"""tracejob-bpftrace: bpftrace's command line over tracejob's engine.

Arguments in; results on stdout, notices on stderr, an exit status out: what exit() gave, 1 for any error.
Part of the start: nothing may be imported here that takes long (docs/decisions/0002-direct-start.md).
"""

import os
import sys

# Not `signal`, which is made of enums: they take longer to import than a program to attach.
from _signal import (
    SIG_BLOCK,
    SIGCONT,
    SIGHUP,
    SIGUSR1,
    SIGUSR2,
    pthread_sigmask,
)

from tracejob_agent.cli.options import Options, UsageError, parse_command_line, parse_pid

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

VERSION = "v0.27.1-tracejob"
_ARG_START = 45  # in /proc/PID/stat, behind the name


def main() -> int:
    """The console script's entry."""
    try:
        options = parse_command_line(sys.argv[1:])
        code = run_command(options)
    except UsageError as error:
        sys.stderr.write(f"ERROR: {error}\n{_usage() if error.show_usage else ''}")
        code = 1
    except BrokenPipeError:
        # The reader has gone: nobody is left to be told.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        code = 1
    except KeyboardInterrupt:
        code = 130
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        pass
    return code


def _usage() -> str:
    from tracejob_agent.cli.usage import USAGE

    return USAGE


def run_command(options: Options) -> int:
    """Whatever the options ask for."""
    if options.has("help"):
        sys.stdout.write(_usage())
        return 0
    if options.has("version"):
        sys.stdout.write(f"bpftrace {VERSION}\n")
        return 0
    if options.has("info"):
        from tracejob_agent.cli.info import info_text
        from tracejob_agent.kernel.host_facts import HostFacts

        sys.stdout.write(info_text(HostFacts(), VERSION))
        return 0
    if options.has("list"):
        from tracejob_agent.cli.listing import list_probes

        options.pid = parse_pid(options.pid_text) if options.pid_text is not None else 0
        return _reporting(lambda: list_probes(options), name=options.file or "stdin", text=options.expression or "")
    return _run_program(options)


def _run_program(options: Options) -> int:
    # Imported here: what only prints help or a version is quick.
    from tracejob_agent.cli.environment import settings_of
    from tracejob_agent.cli.run import Program, run

    # What `self` probes wait for is held back until they are attached (`LocalController.attached`).
    pthread_sigmask(SIG_BLOCK, (SIGUSR1, SIGUSR2, SIGHUP, SIGCONT))
    _be_called("bpftrace")
    name, text = read_program(options)
    text = "".join(_include_line(item, options.include_folders) for item in options.includes) + text
    options.pid = parse_pid(options.pid_text) if options.pid_text is not None else 0

    def go() -> int:
        if options.has("fmt") or options.stages & {"ast", "parse", "all"}:
            from tracejob_agent.cli.stages import formatted, tree

            sys.stdout.write(formatted(text, name) if options.has("fmt") else tree(text, name))
            sys.stdout.flush()
            if options.has("fmt"):
                return 0
        return run(Program(name, text), options, settings=settings_of(os.environ))

    return _reporting(go, name=name, text=text)


def _reporting(action: "Callable[[], int]", *, name: str, text: str) -> int:
    """What `action` gives; another status when it fails, and why is said."""
    from tracejob_agent.errors import EngineError

    try:
        return action()
    except EngineError as error:
        sys.stderr.write(f"ERROR: {error}\n")
    except Exception as error:
        from tracelang.diagnostics import ProgramError

        if not isinstance(error, ProgramError):
            raise
        from tracelang.report import render_diagnostics
        from tracelang.source import Source

        sources = getattr(error, "sources", None) or (Source(name, text),)
        sys.stderr.write(render_diagnostics(error.diagnostics, sources, color=sys.stderr.isatty()))
        return error.diagnostics.status
    return 1


def _be_called(name: str) -> None:
    """Programs and scripts know the tracer by this name: /comm != "bpftrace"/, pkill -INT bpftrace, pidof bpftrace."""
    try:
        with open("/proc/self/comm", "wb", buffering=0) as file:
            file.write(name.encode())
        _replace_interpreter(name.encode())
    except OSError:
        pass  # without /proc


def _replace_interpreter(name: bytes) -> None:
    """`python3 -I -S /usr/bin/tracejob-bpftrace -e ...` becomes `bpftrace /usr/bin/tracejob-bpftrace -e ...`."""
    with open("/proc/self/cmdline", "rb") as file:
        words = file.read()
    own = words.find(os.fsencode(sys.argv[0]) + b"\0")
    if own <= len(name):
        return
    with open("/proc/self/stat", "rb") as file:
        start = int(file.read().rpartition(b")")[2].split()[_ARG_START])
    with open("/proc/self/mem", "r+b", buffering=0) as memory:
        memory.seek(start)
        memory.write((name + b"\0" + words[own:]).ljust(len(words), b"\0"))


def _include_line(item: str, folders: list[str]) -> str:
    """A file of the user's is read; what only the system has is a header, whose types come from the kernel itself."""
    own = any(os.path.isfile(os.path.join(folder, item)) for folder in ("", *folders))
    return f'#include "{item}"\n' if own else f"#include <{item}>\n"


def read_program(options: Options) -> tuple[str, str]:
    """(name, text) of the program. Raises UsageError."""
    if options.expression is not None:
        return "stdin", options.expression
    if options.file is None:
        raise UsageError("USAGE: filename or -e 'program' required.", show_usage=True)
    if options.file == "-":
        return "stdin", sys.stdin.read()
    try:
        with open(options.file, encoding="utf-8", errors="replace") as file:
            return options.file, file.read()
    except OSError as error:
        raise UsageError(f"failed to open file '{options.file}': {error.strerror}") from error


if __name__ == "__main__":
    sys.exit(main())
