"""`results`: the merged maps of a job, running or ended."""

from __future__ import annotations

import click

from kubectl_trace import jobs
from kubectl_trace.context import Context
from kubectl_trace.exit_status import ExitStatus
from kubectl_trace.options import kube_options


@click.command("results")
@click.argument("job", metavar="JOB")
@click.option("-o", "--output", "form", type=click.Choice(("text", "json", "yaml")), default="text")
@click.option("--map", "names", multiple=True, metavar="@NAME", help="Only this map; repeatable.")
@kube_options
def command(context: Context, *, job: str, form: str, names: tuple[str, ...]) -> ExitStatus:
    """Print JOB's merged maps: the final ones, or (while it runs) the last snapshot.

    The exit status tells how an ended job ended, as `run`'s does.
    """
    from dataclasses import replace

    from kubectl_trace.attached import report
    from kubectl_trace.errors import CommandError
    from kubectl_trace.outcome import finished
    from kubectl_trace.printers.structured import document, result_document
    from kubectl_trace.printers.summary import loss_line
    from kubectl_trace.results import gather
    from tracejob_api.escape import escape_line
    from tracejob_api.text import render_maps

    api = context.api()
    found = jobs.find(api, job)
    result = gather(api, found)
    if names:
        wanted = {name if name.startswith("@") else f"@{name}" for name in names}
        missing = sorted(wanted - {item.name for item in result.maps})
        if missing:
            there = ", ".join(item.name for item in result.maps) or "none"
            raise CommandError(f"the job has no map {', '.join(missing)}", hint=f"its maps: {there}")
        result = replace(result, maps=tuple(item for item in result.maps if item.name in wanted))
    if form == "text":
        context.out.write(render_maps(result.maps, quote=escape_line))
        for line in (result.note, loss_line(result.losses)):
            if line:
                context.notice(line)
    else:
        context.show(document(result_document(found, result), form=form))
    if not finished(found.status):
        context.notice("the job is still running: this is its last snapshot")
        return ExitStatus.DONE
    return report(context, found)
