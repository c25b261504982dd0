"""`describe`: one job in full, for a person."""

from __future__ import annotations

import click

from kubectl_trace import jobs
from kubectl_trace.context import Context
from kubectl_trace.exit_status import ExitStatus
from kubectl_trace.options import kube_options


@click.command("describe")
@click.argument("job", metavar="JOB")
@kube_options
def command(context: Context, *, job: str) -> ExitStatus:
    """Show JOB in full: what it was asked, its conditions and targets, what it lost and cost, its events."""
    from kubectl_trace.printers.description import describe
    from kubectl_trace.printers.findings import render_findings

    api = context.api()
    found = jobs.find(api, job)
    for line in describe(found):
        context.show(line)
    for line in render_findings(found.status.diagnostics, program=found.program, name="program"):
        context.show(f"  {line}")
    namespace = found.name.namespace or "default"
    events = api.request(
        "GET", f"/api/v1/namespaces/{namespace}/events", query={"fieldSelector": f"involvedObject.uid={found.uid}"}
    )
    from kubectl_trace.printers.description import event_lines

    for line in event_lines(events):
        context.show(line)
    return ExitStatus.DONE
