"""`run --local`: hand over to the agent's own front end on this machine.

Comes in: the target and the options of `run`. Goes out: a command line for `tracejob-agent local`, which replaces this
process, so that Ctrl-C, the terminal and the exit status are the tracer's own. The agent is started as a user would
start it; nothing of it is imported.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from kubectl_trace.context import Context
from kubectl_trace.errors import CommandError
from kubectl_trace.resource_args import LocalArgument, LocalKind

AGENT = "tracejob-agent"
BPFTRACE = "tracejob-bpftrace"


def local_program(context: Context, name: str) -> str:
    """The program installed with this plugin, else the one on PATH."""
    # The interpreter of a virtual environment is a link: its scripts are where the link is, not where it leads.
    for folder in (Path(sys.argv[0]).resolve().parent, Path(sys.executable).parent):
        if (folder / name).is_file():
            return str(folder / name)
    found = shutil.which(name, path=context.environment.get("PATH"))
    if found is None:
        raise CommandError(
            f"{name} isn't installed on this machine",
            hint="install the package with its [agent] extra, and python3-bpfcc from the distribution",
        )
    return found


def agent_arguments(
    target: LocalArgument, *, program: str, name: str, arguments: Sequence[str], duration: float, interval: float,
    output: str, unsafe: bool,
) -> list[str]:  # fmt: skip
    """The words after `tracejob-agent`. `name` is the program's file, empty for text of the command line."""
    words = ["local"]
    if target.kind is not LocalKind.HOST:
        words += [f"--{target.kind.value}", target.value]
    words += ["-f", name] if name else ["-e", program]
    words += ["--duration", f"{duration:g}", "--interval", f"{interval:g}", "-o", output]
    if unsafe:
        words.append("--unsafe")
    return [*words, "--", *arguments] if arguments else words


def replace_process(program: str, words: Sequence[str]) -> NoReturn:
    """Become the agent."""
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(program, [program, *words])
