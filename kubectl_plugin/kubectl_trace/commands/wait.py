"""`wait`: until a job has attached, or ended."""

from __future__ import annotations

import click

from kubectl_trace import jobs
from kubectl_trace.context import Context
from kubectl_trace.exit_status import ExitStatus
from kubectl_trace.options import duration, kube_options


@click.command("wait")
@click.argument("job", metavar="JOB")
@click.option("--for", "what", type=click.Choice(("attached", "complete")), default="complete", help="complete")
@click.option("--timeout", type=duration, default=0.0, metavar="TIME", help="The default is a day.")
@kube_options
def command(context: Context, *, job: str, what: str, timeout: float) -> ExitStatus:
    """Wait until JOB has attached its probes everywhere, or has ended.

    The exit status is the job's, as of `run`; 5 when the time is over before.
    """
    from kubectl_trace.attached import report
    from kubectl_trace.outcome import attached, finished
    from kubectl_trace.waiting import wait_until

    api = context.api()
    found = jobs.find(api, job)

    def done(seen: jobs.Job) -> bool:
        return finished(seen.status) or (what == "attached" and attached(seen.status))

    found = wait_until(api, found, done=done, timeout=timeout or 86400.0, what=f"to be {what}")
    phase = found.status.phase.value if found.status.phase else ""
    context.show(f"{found.name} {'attached' if not finished(found.status) else phase}")
    return report(context, found) if finished(found.status) else ExitStatus.DONE
