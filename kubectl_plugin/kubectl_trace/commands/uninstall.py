"""`uninstall`: the operator, its jobs and their results out of the cluster."""

from __future__ import annotations

from typing import cast

import click

from kubectl_trace.context import Context
from kubectl_trace.errors import UsageMistake
from kubectl_trace.exit_status import ExitStatus
from kubectl_trace.options import duration, kube_options
from tracejob_api.labels import API_VERSION, CLUSTER_PLURAL, SYSTEM_NAMESPACE, TRACEJOB_PLURAL


@click.command("uninstall")
@click.option("--yes", is_flag=True, help="Also when there are jobs: they and their results are deleted.")
@click.option("--timeout", type=duration, default=120.0, metavar="TIME", help="For each step: 2m.")
@kube_options
def command(context: Context, *, yes: bool, timeout: float) -> ExitStatus:
    """Remove the operator with all it made: jobs, results, agents, their caches on the nodes, roles, its namespace."""
    from kubectl_trace.apply import Applier, describe
    from kubectl_trace.chart import packaged
    from kubectl_trace.client import Api, Json, OperatorMissing
    from kubectl_trace.commands.install import RELEASE
    from kubectl_trace.node_cache import remove_caches

    def jobs_of(api: Api, plural: str) -> list[Json]:
        try:
            listed = api.request("GET", f"/apis/{API_VERSION}/{plural}")
        except OperatorMissing:
            return []
        kind = str(listed["kind"]).removesuffix("List")
        return [{"apiVersion": API_VERSION, "kind": kind, **item} for item in cast(list[Json], listed["items"])]

    api = context.api()
    applier = Applier(api)
    found = jobs_of(api, TRACEJOB_PLURAL) + jobs_of(api, CLUSTER_PLURAL)
    if found and not yes:
        raise UsageMistake(f"{len(found)} jobs and their results would be deleted", hint="say --yes")
    # Jobs first, while there is an operator to stop their agents and clean up behind them.
    for job in found:
        applier.delete(job)
    for job in found:
        applier.wait_gone(job, timeout=timeout)
    remove_caches(api, timeout=timeout, notice=context.notice)
    chart = packaged()
    everything = [*chart.resources(), *chart.objects({}, namespace=SYSTEM_NAMESPACE, release=RELEASE)]
    deleted = [manifest for manifest in reversed(everything) if _deleted(context, applier, manifest)]
    for manifest in deleted:
        if manifest["kind"] in ("Namespace", "CustomResourceDefinition"):
            context.notice(f"waiting for {describe(manifest)} to be gone")
            applier.wait_gone(manifest, timeout=timeout)
    context.show("the operator is removed" if deleted else "there was no operator")
    return ExitStatus.DONE


def _deleted(context: Context, applier: object, manifest: dict[str, object]) -> bool:
    from kubectl_trace.apply import Applier, describe

    assert isinstance(applier, Applier)
    if not applier.delete(manifest):
        return False
    context.notice(f"deleted {describe(manifest)}")
    return True
