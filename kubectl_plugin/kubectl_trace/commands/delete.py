"""`delete`: jobs, with their agents and results."""

from __future__ import annotations

import click

from kubectl_trace import jobs
from kubectl_trace.context import Context
from kubectl_trace.errors import UsageMistake
from kubectl_trace.exit_status import ExitStatus
from kubectl_trace.options import kube_options


@click.command("delete")
@click.argument("names", metavar="JOB...", nargs=-1)
@click.option("--all", "all_jobs", is_flag=True, help="Every TraceJob of the namespace.")
@click.option("--wait/--no-wait", default=True, help="Wait until nothing of them is left (the default).")
@kube_options
def command(context: Context, *, names: tuple[str, ...], all_jobs: bool, wait: bool) -> ExitStatus:
    """Delete JOBs with all they left: agents are stopped, results go."""
    from kubectl_trace.waiting import wait_until

    if bool(names) == all_jobs:
        raise UsageMistake("name the jobs, or say --all")
    api = context.api()
    found = jobs.of_namespace(api, api.namespace) if all_jobs else [jobs.find(api, name) for name in names]
    for job in found:
        jobs.delete(api, job.name)
    for job in found:
        if wait:
            wait_until(api, job, done=lambda _: False, timeout=120.0, what="to be gone", deleted_is_done=True)
        context.show(f"{job.name} deleted")
    return ExitStatus.DONE
