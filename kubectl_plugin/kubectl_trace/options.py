"""Options that several verbs share: kubectl's own flags, and the program."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from typing import TypeVar

import click

from kubectl_trace.context import Context, KubeFlags

Function = TypeVar("Function", bound=Callable[..., object])

_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h|d)")


def parse_duration(text: str) -> float:
    """Seconds of `90s`, `1h30m`, `500ms` or a bare number of seconds; ValueError when it is none."""
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return float(text)
    if not re.fullmatch(f"({_DURATION.pattern})+", text):
        raise ValueError(f"{text!r} is no duration")
    return sum(float(number) * _UNITS[unit] for number, unit in _DURATION.findall(text))


def duration(value: str | float) -> float:
    """The click type of an option that takes `90s`, `1h30m` or seconds."""
    try:
        return parse_duration(str(value))
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
