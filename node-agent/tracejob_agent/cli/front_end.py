"""What a local run asks the compiler for: the options of the command line in, facts and compile options out."""

from __future__ import annotations

import os

from tracejob_agent.cli.options import Options
from tracejob_agent.errors import TargetError
from tracejob_agent.kernel.host_facts import HostFacts
from tracejob_agent.target.pid_namespace import pid_namespace_level
from tracelang.plan import CompileOptions, ScopeOptions
from tracelang.unwinding import AVAILABLE


def front_end(options: Options, settings: dict[str, str]) -> tuple[HostFacts, CompileOptions]:
    """The machine as the target sees it, and what to compile for."""
    facts = facts_for(options)
    return facts, compile_options(options, settings, pid_namespace_level(facts))


def facts_for(options: Options, *, unsafe: bool = False) -> HostFacts:
    """The machine as the target sees it. unsafe: places too where a probe might do harm."""
    root = "/"
    pids: tuple[int, ...] = ()
    if options.pid:
        pids = (options.pid,)
        root = target_root(options.pid)
    return HostFacts(
        roots=(root,),
        pids=pids,
        files=True,
        include_folders=tuple(options.include_folders),
        debug_folders=tuple(options.debug_folders),
        unsafe=unsafe or options.has("unsafe"),
        traceable=_traceable(options.traceable),
    )


def _traceable(path: str) -> str | None:
    """What --traceable-functions names. Raises TargetError for a file that can't be read."""
    if not path:
        return None
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError as error:
        raise TargetError(f"Could not read functions from {path}: {error.strerror}") from error


def target_root(pid: int) -> str:
    """The process's file system, when it isn't ours. Raises TargetError without such a process."""
    try:
        theirs = os.stat(f"/proc/{pid}/ns/mnt").st_ino
    except OSError:
        raise TargetError("Failed to attach to pid: Unable to open pidfd (No such process)") from None
    return "/" if theirs == os.stat("/proc/self/ns/mnt").st_ino else f"/proc/{pid}/root"


def _told(options: Options) -> dict[str, str]:
    """What programs may ask for because of how the tracer was started."""
    told = {"__child_pid": ""} if options.command else {}
    if options.command or options.pid or options.dwarf_pids:
        told[AVAILABLE] = ""
    return told


def compile_options(options: Options, settings: dict[str, str], level: int) -> CompileOptions:
    return CompileOptions(
        scope=ScopeOptions("pids", is_strict=False) if options.pid else ScopeOptions(),
        pid_namespace_level=level,
        positional=tuple(options.positional),
        named={**options.named, **_told(options)},
        config=settings,
        unsafe=options.has("unsafe"),
        warnings=not options.has("no_warnings"),
        runtime_warnings=options.has("runtime_warnings"),
        interactive=True,
        count_hits=False,
    )
