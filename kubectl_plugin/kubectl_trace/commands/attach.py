"""`attach`: come back to a job, as `run` would have stayed with it."""

from __future__ import annotations

import click

from kubectl_trace import jobs
from kubectl_trace.context import Context
from kubectl_trace.exit_status import ExitStatus
from kubectl_trace.options import kube_options
from kubectl_trace.printers.forms import FORMS, view_for


@click.command("attach")
@click.argument("job", metavar="JOB")
@click.option("-o", "--output", "form", type=click.Choice(FORMS), default="text", help="text, json, jsonl or yaml.")
@click.option("--save", "save_in", default="", metavar="DIR", help="Also write the result into files there.")
@kube_options
def command(context: Context, *, job: str, form: str, save_in: str) -> ExitStatus:
    """Come back to JOB, as `run` would have stayed with it: its output from the start, at the end its maps.

    Ctrl-C stops the job; twice leaves it running. Of a job that has ended, the results are printed at once.
    """
    from kubectl_trace.attached import stay
    from kubectl_trace.interrupts import Interrupts

    api = context.api()
    found = jobs.find(api, job)
    with Interrupts() as interrupts:
        return stay(context, api, found, view_for(context, form=form, save_in=save_in), interrupts=interrupts)
