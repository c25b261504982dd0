"""`probes`: what programs can be attached to, on this machine."""

from __future__ import annotations

import click

from kubectl_trace.context import Context
from kubectl_trace.errors import UsageMistake
from kubectl_trace.exit_status import ExitStatus
from kubectl_trace.options import kube_options


@click.command("probes")
@click.argument("glob", default="*:*")
@click.option("--local", is_flag=True, help="Of this machine (the only ones that can be listed yet).")
@kube_options
def command(context: Context, *, glob: str, local: bool) -> ExitStatus:
    """List this machine's attach points that match GLOB, such as 'tracepoint:syscalls:*open*'; -v adds arguments."""
    from kubectl_trace.local import BPFTRACE, local_program, replace_process

    if not local:
        raise UsageMistake(
            "the probes of a cluster's nodes can't be listed yet",
            hint="--local lists this machine's; a job over a node says what that node lacks",
        )
    words = ["-v"] if context.verbosity else []
    replace_process(local_program(context, BPFTRACE), ["-l", glob, *words])
