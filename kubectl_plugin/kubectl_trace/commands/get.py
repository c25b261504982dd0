"""`get`: jobs as the API server tabulates them, or in any of kubectl's forms."""

from __future__ import annotations

import click

from kubectl_trace.context import Context
from kubectl_trace.errors import UsageMistake
from kubectl_trace.exit_status import ExitStatus
from kubectl_trace.options import kube_options

FORMS = "wide, json, yaml, name; jsonpath=..., custom-columns=... and go-template=... through kubectl."


@click.command("get")
@click.argument("names", metavar="[JOB...]", nargs=-1)
@click.option("-A", "--all-namespaces", is_flag=True, help="Jobs of every namespace.")
@click.option("--cluster", is_flag=True, help="ClusterTraceJobs instead of TraceJobs.")
@click.option("-l", "--selector", default="", metavar="SELECTOR", help="Only jobs with these labels.")
@click.option("-w", "--watch", is_flag=True, help="Go on with changes.")
@click.option("-o", "--output", "form", default="", metavar="FORM", help=FORMS)
@kube_options
def command(
    context: Context, *, names: tuple[str, ...], all_namespaces: bool, cluster: bool, selector: str, watch: bool,
    form: str,
) -> ExitStatus:  # fmt: skip
    """List trace jobs, or show the JOBs that are named."""
    from kubectl_trace import listing

    if form.partition("=")[0] in listing.KUBECTL_FORMS:
        return listing.through_kubectl(
            context, names=names, all_namespaces=all_namespaces, cluster=cluster, selector=selector, watch=watch,
            form=form,
        )  # fmt: skip
    if form not in ("", "wide", "json", "yaml", "name"):
        raise UsageMistake(f"-o {form} isn't known", hint=FORMS)
    if names and all_namespaces:
        raise UsageMistake("a job of all namespaces can't be named", hint="name its namespace with -n")
    api = context.api()
    if form in ("json", "yaml", "name"):
        if watch:
            raise UsageMistake(f"-w and -o {form} don't go together", hint="kubectl get tj -w -o ...")
        listing.show_objects(
            context, api, names=names, all_namespaces=all_namespaces, cluster=cluster, selector=selector, form=form
        )
    else:
        listing.show_table(
            context, api, names=names, all_namespaces=all_namespaces, cluster=cluster, selector=selector,
            wide=form == "wide", watch=watch,
        )  # fmt: skip
    return ExitStatus.DONE
