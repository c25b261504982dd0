"""`check`: what the language front end says about a program, offline."""

from __future__ import annotations

import click

from kubectl_trace import programs
from kubectl_trace.context import Context
from kubectl_trace.exit_status import ExitStatus
from kubectl_trace.options import kube_options


@click.command("check", cls=programs.ProgramCommand)
@programs.program_options
@kube_options
def command(context: Context, *, text: str | None, path: str) -> ExitStatus:
    """Parse a program without running it.

    Whether its attach points and fields exist is the node's to say: kernels differ. The exit status is 2 when the
    program is wrong.
    """
    program = programs.read_program(context, text=text, path=path)
    programs.check_syntax(context, program, arguments=programs.parameters_after_dashes())
    context.notice(f"{program.name}: the syntax is right")
    return ExitStatus.DONE
