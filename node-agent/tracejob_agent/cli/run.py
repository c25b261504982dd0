"""One local run: the program's text and the options in; compiled, attached, shown; an exit status out.

Parsing and compiling happen in a child (see `preparation`). Of most programs nothing but their attachment happens here
before the user is told so; the modules that read and show results are imported after that.
Part of the start: nothing may be imported here that takes long (docs/decisions/0002-direct-start.md).
"""

import os

# Not `signal`, which is made of enums: they take longer to import than the program to attach.
from _signal import SIG_BLOCK, SIG_UNBLOCK, SIGINT, SIGTERM, pthread_sigmask

from tracejob_agent.cli.options import Options
from tracejob_agent.launch import Launched, launch
from tracejob_agent.notices import NOTIFICATION, attached_notice
from tracejob_agent.preparation import Prepared, prepare

TYPE_CHECKING = False
if TYPE_CHECKING:
    from tracelang.facts import Facts
    from tracelang.plan import CompileOptions

_ENDING = (SIGINT, SIGTERM)
_NEEDS_A_SESSION = ("probe:", "usdt:", "fentry:", "fexit:", "iter:", "watchpoint:", "software:", "hardware:", "self:")


class Program:
    """text: with what --include asked for in front; name: as messages call it."""

    __slots__ = ("name", "text")

    def __init__(self, name: str, text: str) -> None:
        self.name = name
        self.text = text


def run(program: Program, options: Options, *, settings: dict[str, str]) -> int:
    """Trace until the program, its child or the user ends it. Raises ProgramError and EngineError."""
    if options.mode == "codegen" or {"codegen", "all"} & options.stages:
        from tracejob_agent.cli.trace import show_text

        return show_text(program, options, settings=settings, traces=options.mode != "codegen")
    is_plain = options.is_plain() and not any(word in program.text for word in _NEEDS_A_SESSION)
    prepared = prepare(
        program.text,
        name=program.name,
        front_end=lambda: _front_end(options, settings),
        options_key=repr((options.key(), sorted(settings.items()))),
        meanwhile=None if is_plain else _import_the_rest,
    )
    launched = _launch(prepared, options) if is_plain else None
    from tracejob_agent.cli.trace import trace

    return trace(program, options, prepared, launched=launched)


def _front_end(options: Options, settings: dict[str, str]) -> "tuple[Facts, CompileOptions]":
    """In the compiler's child: none of its imports stays with the tracer."""
    from tracejob_agent.cli.front_end import front_end

    return front_end(options, settings)


def _import_the_rest() -> None:
    """What the run needs, imported while the child compiles."""
    import tracejob_agent.cli.trace
    import tracejob_agent.output.text_sink
    import tracejob_agent.session  # noqa: F401  # so that it is there when asked for


def _launch(prepared: Prepared, options: Options) -> Launched | None:
    """Attaches, and says so. A signal that asks for the end waits for the one who can show results."""
    if prepared.launch is None:
        return None
    pthread_sigmask(SIG_BLOCK, _ENDING)
    launched = launch(prepared.launch, prepared.functions)
    if launched is None:
        pthread_sigmask(SIG_UNBLOCK, _ENDING)
        return None
    warnings = prepared.launch["warnings"][os.isatty(2)]
    if warnings and not options.has("no_warnings"):
        os.write(2, warnings.encode())
    if not options.has("quiet"):
        os.write(2, f"{attached_notice(prepared.launch['places'])}\n".encode())
    if NOTIFICATION in os.environ:
        os.write(1, f"{NOTIFICATION}\n".encode())
    return launched
