"""`logs`: what a job's program printed, without its maps."""

from __future__ import annotations

import click

from kubectl_trace import jobs
from kubectl_trace.context import Context
from kubectl_trace.exit_status import ExitStatus
from kubectl_trace.options import kube_options


@click.command("logs")
@click.argument("job", metavar="JOB")
@click.option("-f", "--follow", is_flag=True, help="Go on until the job ends; Ctrl-C leaves the job alone.")
@click.option("-o", "--output", "form", type=click.Choice(("text", "jsonl")), default="text", help="text or jsonl.")
@kube_options
def command(context: Context, *, job: str, follow: bool, form: str) -> ExitStatus:
    """Print what JOB's program printed. What was wrong with the program goes to stderr, with exit status 2."""
    from kubectl_trace.attached import print_kept, stay
    from kubectl_trace.interrupts import Interrupts
    from kubectl_trace.outcome import finished
    from kubectl_trace.printers.structured import JsonLinesView
    from kubectl_trace.printers.text import OutputView

    api = context.api()
    found = jobs.find(api, job)
    view = OutputView(context) if form == "text" else JsonLinesView(context)
    if follow and not finished(found.status):
        with Interrupts() as interrupts:
            return stay(context, api, found, view, interrupts=interrupts, stops_on_interrupt=False)
    return print_kept(context, api, found, view)
