"""`stop`: end jobs early, keeping their results."""

from __future__ import annotations

import click

from kubectl_trace import jobs
from kubectl_trace.context import Context
from kubectl_trace.exit_status import ExitStatus
from kubectl_trace.options import kube_options


@click.command("stop")
@click.argument("names", metavar="JOB...", nargs=-1, required=True)
@click.option("--wait/--no-wait", default=True, help="Wait for the results (the default).")
@kube_options
def command(context: Context, *, names: tuple[str, ...], wait: bool) -> ExitStatus:
    """End JOBs early and keep their results."""
    from kubectl_trace.outcome import finished
    from kubectl_trace.waiting import wait_until

    api = context.api()
    stopped = []
    for name in names:
        job = jobs.find(api, name)
        if finished(job.status):
            context.notice(f"{job.name} has already ended")
            continue
        stopped.append(jobs.stop(api, job.name))
    for job in stopped:
        if wait:
            wait_until(api, job, done=lambda seen: finished(seen.status), timeout=60.0, what="to stop")
        context.show(f"{job.name} {'stopped' if wait else 'is stopping'}")
    return ExitStatus.DONE
