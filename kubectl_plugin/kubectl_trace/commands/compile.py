"""`compile`: the BPF C of a program, for this machine's kernel."""

from __future__ import annotations

import click

from kubectl_trace import programs
from kubectl_trace.context import Context
from kubectl_trace.exit_status import ExitStatus
from kubectl_trace.options import kube_options


@click.command("compile", cls=programs.ProgramCommand)
@programs.program_options
@kube_options
def command(context: Context, *, text: str | None, path: str) -> ExitStatus:
    """Print the BPF C that a program becomes, without attaching it.

    Types and attach points are this machine's; a node with another kernel may give another text. Of a job, each line of
    the program is preceded by the target's predicate.
    """
    from kubectl_trace.local import BPFTRACE, local_program, replace_process

    program = programs.read_program(context, text=text, path=path)
    parameters = programs.parameters_after_dashes()
    programs.check_syntax(context, program, arguments=parameters)
    words = ["--mode", "codegen", "-d", "codegen"]
    words += [program.path] if program.path else ["-e", program.text]
    replace_process(local_program(context, BPFTRACE), [*words, *parameters])
