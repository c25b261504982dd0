"""`run`: create a TraceJob and stay with it, or trace this machine."""

from __future__ import annotations

from pathlib import Path

import click

from kubectl_trace import programs
from kubectl_trace.context import Context
from kubectl_trace.errors import UsageMistake
from kubectl_trace.exit_status import ExitStatus
from kubectl_trace.manifest import LONGEST, RunOptions, job_manifest
from kubectl_trace.options import duration, kube_options
from kubectl_trace.printers.forms import FORMS, view_for
from kubectl_trace.resource_args import parse_local, parse_target

EPILOG = """Examples:

\b
  kubectl trace run pod/web -e 'tracepoint:syscalls:sys_enter_openat { @[comm] = count(); }'
  kubectl trace run deploy/shop -c app -f slow.bt --duration 30s
  kubectl trace run -l app=web -e 'uprobe:/usr/sbin/nginx:ngx_http_process_request { @ = count(); }'
  kubectl trace run --local pid/1234 -e 'tracepoint:raw_syscalls:sys_enter { @[args.id] = count(); }'
"""


@click.command("run", cls=programs.ProgramCommand, epilog=EPILOG)
@click.argument("target", default="", metavar="TARGET [-- ARGS]")
@programs.program_options
@click.option("-l", "--selector", default="", metavar="SELECTOR", help="Label selector over pods (or `nodes -l ...`).")
@click.option("--all-nodes", is_flag=True, help="Every node of the cluster.")
@click.option("--local", is_flag=True, help="This machine: pid/N, container/ID, comm/NAME, or nothing: all of it.")
@click.option("-c", "--container", "containers", multiple=True, metavar="NAME", help="Only this container; repeatable.")
@click.option("--process", multiple=True, metavar="WHICH", help="Only processes with pid=, comm=, exe= or cmdline=.")
@click.option("--duration", type=duration, default=60.0, metavar="TIME", help="60s; 0: until Ctrl-C, at most 24h.")
@click.option("--interval", type=duration, default=5.0, metavar="TIME", help="How often maps are collected: 5s.")
@click.option("--start-timeout", type=duration, default=120.0, metavar="TIME", help="To be attached: 2m.")
@click.option("--ttl", type=duration, default=3600.0, metavar="TIME", help="The job is deleted that long after: 1h.")
@click.option("--keep", is_flag=True, help="The job is never deleted by itself.")
@click.option("-o", "--output", "form", type=click.Choice(FORMS), default="text", help="text, json, jsonl or yaml.")
@click.option("--name", default="", metavar="NAME", help="Of the job; else the target's with a suffix.")
@click.option("--arg", "more", multiple=True, metavar="VALUE", help="Positional parameter $1, $2...; repeatable.")
@click.option("--max-targets", type=click.IntRange(1, 5000), default=100, help="More than that is refused: 100.")
@click.option("--follow-new/--no-follow-new", default=None, help="Trace pods that appear while the job runs.")
@click.option("--unsafe", is_flag=True, help="Allow system(), signal(), override() and writes to memory.")
@click.option("--detach", is_flag=True, help="Print the job's name and return.")
@click.option("--dry-run", type=click.Choice(["client", "server"]), help="Print the object, create nothing.")
@click.option("--save", "save_in", default="", metavar="DIR", help="Also write the result into files there.")
@kube_options
def command(
    context: Context, *, target: str, text: str | None, path: str, selector: str,
    all_nodes: bool, local: bool, containers: tuple[str, ...], process: tuple[str, ...], duration: float,
    interval: float, start_timeout: float, ttl: float, keep: bool, form: str, name: str, more: tuple[str, ...],
    max_targets: int, follow_new: bool | None, unsafe: bool, detach: bool, dry_run: str | None, save_in: str,
) -> ExitStatus:  # fmt: skip
    """Trace TARGET with a program in the bpftrace language and print what it gives.

    TARGET is pod/NAME, deploy/, sts/, ds/, rs/, job/, svc/ or node/NAME; a bare name is a pod's.
    """
    program = programs.read_program(context, text=text, path=path)
    parameters = (*more, *programs.parameters_after_dashes())
    if duration > LONGEST:
        raise UsageMistake("a job runs for at most 24h")
    if local:
        for given, option in ((selector, "-l"), (all_nodes, "--all-nodes"), (containers, "-c"), (detach, "--detach")):
            if given:
                raise UsageMistake(f"{option} is for a cluster, --local for this machine", hint="leave one of them out")
        return _run_local(
            context, target, program=program, parameters=parameters, duration=duration, interval=interval, form=form,
            unsafe=unsafe,
        )  # fmt: skip
    options = RunOptions(
        target=parse_target(target, selector=selector, all_nodes=all_nodes),
        program=program.text,
        namespace=context.flags.namespace,
        name=name,
        arguments=parameters,
        containers=containers,
        process=process,
        duration=duration,
        interval=interval,
        start_timeout=start_timeout,
        ttl=-1 if keep else ttl,
        max_targets=max_targets,
        follow_new=follow_new,
        unsafe=unsafe,
    )
    programs.check_syntax(context, program, arguments=parameters)
    return _run_in_cluster(context, options, form=form, detach=detach, dry_run=dry_run, save_in=save_in)


def _run_in_cluster(
    context: Context, options: RunOptions, *, form: str, detach: bool, dry_run: str | None, save_in: str
) -> ExitStatus:
    from dataclasses import replace

    from kubectl_trace.printers.structured import document

    if dry_run == "client":
        known = replace(options, namespace=options.namespace or "default")
        context.show(document(job_manifest(known), form="json" if form == "json" else "yaml"))
        return ExitStatus.DONE
    from kubectl_trace import jobs
    from kubectl_trace.attached import stay
    from kubectl_trace.interrupts import Interrupts

    api = context.api()
    options = replace(options, namespace=options.namespace or api.namespace)
    manifest = job_manifest(options)
    namespace = "" if options.cluster else options.namespace
    with Interrupts() as interrupts:
        created = jobs.create(api, manifest, namespace=namespace, dry_run=dry_run == "server")
        if dry_run == "server":
            context.show(document(created, form="json" if form == "json" else "yaml"))
            return ExitStatus.DONE
        job = jobs.decode(created)
        if detach:
            context.show(str(job.name))
            context.notice(f"for its results: kubectl trace attach {job.name.words}")
            return ExitStatus.DONE
        context.notice(f"created {job.name}")
        return stay(context, api, job, view_for(context, form=form, save_in=save_in), interrupts=interrupts)


def _run_local(
    context: Context, target: str, *, program: programs.ProgramText, parameters: tuple[str, ...], duration: float,
    interval: float, form: str, unsafe: bool,
) -> ExitStatus:  # fmt: skip
    from kubectl_trace.local import AGENT, agent_arguments, local_program, replace_process

    if form == "yaml":
        raise UsageMistake("-o yaml is for a cluster", hint="with --local: text, json or jsonl")
    words = agent_arguments(
        parse_local(target),
        program=program.text,
        name=str(Path(program.path)) if program.path else "",
        arguments=parameters,
        duration=duration,
        interval=interval,
        output=form,
        unsafe=unsafe,
    )
    replace_process(local_program(context, AGENT), words)
