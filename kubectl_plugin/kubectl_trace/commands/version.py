"""`version`: of this plugin, and of the operator where there is one."""

from __future__ import annotations

from importlib.metadata import version as installed_version
from typing import cast

import click

from kubectl_trace.context import Context
from kubectl_trace.exit_status import ExitStatus
from kubectl_trace.options import kube_options
from tracejob_api.labels import SYSTEM_NAMESPACE, VERSION

OPERATOR = "tracejob-operator"


@click.command("version")
@click.option("--client", "client_only", is_flag=True, help="Don't ask the cluster.")
@kube_options
def command(context: Context, *, client_only: bool) -> ExitStatus:
    """Versions of this plugin and of the cluster's operator."""
    context.show(f"client: {installed_version('tracejob')} (API {VERSION})")
    if client_only:
        return ExitStatus.DONE
    from kubectl_trace.client import Forbidden, NotFound

    api = context.api()
    server = api.request("GET", "/version")
    context.show(f"kubernetes: {server.get('gitVersion')}")
    try:
        deployment = api.request("GET", f"/apis/apps/v1/namespaces/{SYSTEM_NAMESPACE}/deployments/{OPERATOR}")
    except NotFound:
        context.show("operator: not installed")
    except Forbidden:
        context.show(f"operator: not yours to see (deployments in {SYSTEM_NAMESPACE})")
    else:
        context.show(f"operator: {_image(deployment)}")
    return ExitStatus.DONE


def _image(deployment: dict[str, object]) -> str:
    spec = cast(dict[str, dict[str, dict[str, list[dict[str, str]]]]], deployment["spec"])
    return spec["template"]["spec"]["containers"][0]["image"]
