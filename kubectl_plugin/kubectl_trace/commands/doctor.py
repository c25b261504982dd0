"""`doctor`: what will and won't work, and for whom."""

from __future__ import annotations

import click

from kubectl_trace.context import Context
from kubectl_trace.exit_status import ExitStatus
from kubectl_trace.options import kube_options


@click.command("doctor")
@click.option("--local", is_flag=True, help="This machine's kernel instead: what programs can use here.")
@kube_options
def command(context: Context, *, local: bool) -> ExitStatus:
    """Check the cluster: API version, resources, operator, your rights, the nodes' kernels and images.

    The exit status is 1 when something that every job needs is missing.
    """
    from kubectl_trace.local import BPFTRACE, local_program, replace_process

    if local:
        replace_process(local_program(context, BPFTRACE), ["--info"])
    from kubectl_trace.examination import Verdict, examine

    healthy = True
    for finding in examine(context.api()):
        context.show(f"{finding.verdict.value:<5} {finding.text}")
        if finding.hint:
            context.show(f"      {finding.hint}")
        healthy = healthy and finding.verdict is not Verdict.BAD
    return ExitStatus.DONE if healthy else ExitStatus.ERROR
