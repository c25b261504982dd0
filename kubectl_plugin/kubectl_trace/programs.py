"""The program of a command: from `-e`, a file or standard input; and what the parser on this machine says about it.

Comes in: options. Goes out: a `ProgramText`; `ProgramMistake` carries what is wrong, already as a person reads it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import click

from kubectl_trace.context import Context
from kubectl_trace.errors import CommandError, UsageMistake
from kubectl_trace.exit_status import ExitStatus
from kubectl_trace.printers.findings import render_findings
from tracejob_api.records import DiagnosticNote, ProgramDiagnostic
from tracejob_api.spec import PROGRAM_LIMIT

if TYPE_CHECKING:
    from tracelang.diagnostics import Diagnostic, Diagnostics
    from tracelang.source import Source

Function = TypeVar("Function", bound=Callable[..., object])


class ProgramCommand(click.Command):
    """A command whose words after `--` are the program's positional parameters, whatever stands before."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if "--" in args:
            at = args.index("--")
            ctx.meta[_PARAMETERS] = tuple(args[at + 1 :])
            args = args[:at]
        return super().parse_args(ctx, args)


_PARAMETERS = "kubectl_trace.parameters"


def parameters_after_dashes() -> tuple[str, ...]:
    """What stood after `--` on the command line that is being run."""
    parameters: tuple[str, ...] = click.get_current_context().meta.get(_PARAMETERS, ())
    return parameters


@dataclass(frozen=True, slots=True)
class ProgramText:
    """`name` is what diagnostics call it; `path` is empty when the text didn't come from a file."""

    text: str
    name: str
    path: str = ""


def program_options(function: Function) -> Function:
    """`-e` and `-f`."""
    function = click.option("-f", "--file", "path", default="", metavar="FILE", help="Program file; - is stdin.")(
        function
    )
    return click.option("-e", "--expression", "text", default=None, metavar="PROGRAM", help="Program text.")(function)


def read_program(context: Context, *, text: str | None, path: str) -> ProgramText:
    """The program of `-e` or `-f`; UsageMistake unless exactly one is given."""
    if (text is None) == (not path):
        raise UsageMistake(
            "give the program with -e or with -f" if text is None else "-e and -f exclude each other",
            hint="""kubectl trace run pod/web -e 'tracepoint:syscalls:sys_enter_openat { @[comm] = count(); }'""",
        )
    if text is not None:
        return ProgramText(text, "program")
    return ProgramText(context.read_program(path), "stdin" if path == "-" else path, "" if path == "-" else path)


def check_syntax(context: Context, program: ProgramText, *, arguments: tuple[str, ...] = ()) -> None:
    """Say at once what the parser can tell, before anything is asked of the cluster."""
    if not program.text.strip():
        raise UsageMistake("the program is empty")
    size = len(program.text.encode(errors="surrogateescape"))
    if size > PROGRAM_LIMIT:
        raise CommandError(
            f"the program has {size} bytes, a job takes {PROGRAM_LIMIT}", status=ExitStatus.PROGRAM_ERROR
        )
    from tracelang.parser import parse

    _, found = parse(program.text, program.name, arguments)
    findings = as_records(found, program=program)
    show(context, findings, program=program)
    if found.failed:
        raise refused(findings)


def as_records(found: Diagnostics, *, program: ProgramText) -> list[ProgramDiagnostic]:
    """The compiler's diagnostics with lines and columns, as they come from a cluster."""
    from tracelang.source import Source

    source = Source(program.name, program.text)
    return [_as_record(item, source) for item in found.items]


def _as_record(item: Diagnostic, source: Source) -> ProgramDiagnostic:
    line, column = source.position(item.span.start)
    end_line, end_column = source.position(item.span.end)
    return ProgramDiagnostic(
        message=item.message,
        severity=item.severity.value,
        line=line if item.span.source == 0 else 0,
        column=column,
        end_line=end_line,
        end_column=end_column,
        hint=item.hint,
        notes=tuple(
            DiagnosticNote(*source.position(note.span.start), note.message)
            for note in item.notes
            if not note.span.source
        ),
    )


def refused(findings: Sequence[ProgramDiagnostic]) -> CommandError:
    errors = sum(finding.severity == "error" for finding in findings)
    return CommandError(f"the program has {errors} error{'s' if errors != 1 else ''}", status=ExitStatus.PROGRAM_ERROR)


def show(context: Context, findings: Sequence[ProgramDiagnostic], *, program: ProgramText) -> None:
    colour = context.colour(context.err)
    for line in render_findings(findings, program=program.text, name=program.name, colour=colour):
        context.notice(line)
