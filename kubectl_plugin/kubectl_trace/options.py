"""Options that several verbs share: kubectl's own flags, and the program."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TypeVar

import click

from kubectl_trace.context import Context, KubeFlags
from tracejob_api.quantities import parse_duration

Function = TypeVar("Function", bound=Callable[..., object])


def duration(value: str | float) -> float:
    """The click type of an option that takes `90s`, `1h30m` or a bare number of seconds."""
    if isinstance(value, float):
        return value
    try:
        return float(value) if value.replace(".", "", 1).isdigit() else parse_duration(value)
    except ValueError:
        raise click.BadParameter(f"{value!r} is no duration; write it as 30s, 500ms or 1h30m") from None


def kube_options(function: Function) -> Function:
    """kubectl's flags; the wrapped function gets the `Context` that carries them as its first argument."""

    @functools.wraps(function)
    def with_context(
        *,
        namespace: str,
        kube_context: str,
        kubeconfig: str,
        request_timeout: float,
        verbose: int,
        **rest: object,
    ) -> object:
        context = click.get_current_context().find_object(Context)
        assert context is not None, "cli.run hands the context in"
        flags = KubeFlags(
            namespace=namespace, context=kube_context, kubeconfig=kubeconfig, request_timeout=request_timeout
        )
        return function(context.with_flags(flags, verbosity=verbose), **rest)

    for option in (
        click.option("-v", "--verbose", count=True, help="Say more about what is going on."),
        click.option("--request-timeout", type=duration, default=0.0, metavar="TIME", help="For one API request."),
        click.option("--kubeconfig", default="", metavar="FILE", help="Path to the kubeconfig."),
        click.option("--context", "kube_context", default="", metavar="NAME", help="Context of the kubeconfig to use."),
        click.option("-n", "--namespace", default="", metavar="NAME", help="Namespace of the target and of the job."),
    ):
        with_context = option(with_context)
    return with_context  # type: ignore[return-value]  # click's options keep the function, with a changed signature
