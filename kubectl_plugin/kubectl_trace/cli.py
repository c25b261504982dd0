"""`kubectl trace`: finds the verb, runs it, turns what went wrong into a sentence and an exit status.

Comes in: the command line. Goes out: an exit status. A verb's module is imported when the verb is used, so that
`--help` answers at once.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module

import click

from kubectl_trace.commands import VERBS
from kubectl_trace.context import Context
from kubectl_trace.errors import CommandError
from kubectl_trace.exit_status import ExitStatus
from kubectl_trace.options import kube_options

HELP_WIDTH = 110


class LazyGroup(click.Group):
    """A group whose verbs are imported on use; their one-line help is in the table."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in VERBS:
            return None
        command: click.Command = import_module(f"kubectl_trace.commands.{cmd_name}").command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            raise click.UsageError(_unknown_verb(args[0]), ctx=ctx) from error

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(VERBS.items()))


def _unknown_verb(word: str) -> str:
    from difflib import get_close_matches

    close = get_close_matches(word, VERBS, n=1)
    if close:
        return f"no command {word!r}; did you mean {close[0]!r}?"
    return f"no command {word!r}; see `kubectl trace --help`"


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": HELP_WIDTH},
    help="Run bpftrace programs in a cluster, scoped to a workload, merged over its nodes.",
    epilog="A program in the bpftrace language runs on every node where the target lives and fires for that target "
    "only. `kubectl trace run --local` does the same on this machine, without a cluster.",
)
@kube_options
def group(context: Context) -> None:
    click.get_current_context().obj = context


def run(arguments: Sequence[str], context: Context) -> ExitStatus:
    """Run one command line in `context`."""
    try:
        status = group.main(args=list(arguments), prog_name="kubectl trace", standalone_mode=False, obj=context)
    except CommandError as error:
        context.notice(f"error: {error.message}")
        if error.hint:
            context.notice(f"hint: {error.hint}")
        return error.status
    except click.UsageError as error:
        context.notice(f"error: {error.format_message()}")
        if error.ctx is not None:
            context.notice(f"hint: {error.ctx.command_path} --help")
        return ExitStatus.ERROR
    except click.ClickException as error:
        context.notice(f"error: {error.format_message()}")
        return ExitStatus.ERROR
    except (click.Abort, KeyboardInterrupt):
        return ExitStatus.INTERRUPTED
    except BrokenPipeError:
        # The reader went away (`| head`): say nothing, and keep the interpreter from flushing into the pipe.
        sys.stdout = None
        return ExitStatus.ERROR
    return status if isinstance(status, ExitStatus) else ExitStatus.DONE


def main() -> int:
    return int(run(sys.argv[1:], Context.of_process()))
