"""`install`: the operator into the cluster, from the chart that comes with this plugin, without helm."""

from __future__ import annotations

from pathlib import Path

import click

from kubectl_trace.context import Context
from kubectl_trace.errors import UsageMistake
from kubectl_trace.exit_status import ExitStatus
from kubectl_trace.options import duration, kube_options
from tracejob_api.labels import SYSTEM_NAMESPACE

RELEASE = "tracejob"


@click.command("install")
@click.option("--set", "words", multiple=True, metavar="NAME=VALUE", help="A value of the chart; repeatable.")
@click.option("--values", "values_file", default="", metavar="FILE", help="Values of the chart, as YAML.")
@click.option("--timeout", type=duration, default=180.0, metavar="TIME", help="For the operator to be ready: 3m.")
@click.option("--dry-run", is_flag=True, help="Print the manifests, change nothing.")
@kube_options
def command(context: Context, *, words: tuple[str, ...], values_file: str, timeout: float, dry_run: bool) -> ExitStatus:
    """Install or upgrade the operator: resources, roles, the operator itself, in the namespace tracejob-system.

    It needs cluster-admin. Run again, it upgrades. Jobs that exist stay.
    """
    import yaml

    from kubectl_trace.apply import Applier, describe, wait_available, wait_established
    from kubectl_trace.chart import merged, packaged, parse_set, unknown_values

    chart = packaged()
    values = merged(_read_values(values_file), parse_set(words))
    unknown = list(unknown_values(values, chart.defaults()))
    if unknown:
        raise UsageMistake(f"the chart has no value {', '.join(unknown)}", hint="see charts/tracejob/values.yaml")
    resources, objects = chart.resources(), chart.objects(values, namespace=SYSTEM_NAMESPACE, release=RELEASE)
    if dry_run:
        context.show(yaml.safe_dump_all([*resources, *objects], sort_keys=False).rstrip("\n"))
        return ExitStatus.DONE
    api = context.api()
    applier = Applier(api)
    for manifest in [*resources, *objects]:
        applier.apply(manifest)
        context.notice(f"applied {describe(manifest)}")
    for manifest in resources:
        wait_established(api, manifest, timeout=30.0)
    for manifest in objects:
        if manifest["kind"] == "Deployment":
            context.notice(f"waiting for {describe(manifest)}")
            wait_available(api, manifest, timeout=timeout)
    context.show(f"the operator is ready in {SYSTEM_NAMESPACE}")
    return ExitStatus.DONE


def _read_values(path: str) -> dict[str, object]:
    import yaml

    if not path:
        return {}
    try:
        values = yaml.safe_load(Path(path).read_text())
    except (OSError, yaml.YAMLError) as error:
        raise UsageMistake(f"can't read the values {path}: {error}") from error
    if not isinstance(values, dict):
        raise UsageMistake(f"{path} holds no values")
    return values
