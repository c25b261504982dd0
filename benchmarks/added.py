"""What a probe adds to the call that it traces: nanoseconds, by what the program does there."""

from __future__ import annotations

import shutil

from benchmarks import headers
from benchmarks.frame import CALL, OURS, Answer, Bench, Table, Tracer, calls, tracing

PROGRAMS = {
    "empty program": f"{CALL} {{ }}",
    "filter that doesn't match": f"{CALL} /pid == 1/ {{ @ = count(); }}",
    "`@ = count()`": f"{CALL} {{ @ = count(); }}",
    "`@[pid] = count()`": f"{CALL} {{ @[pid] = count(); }}",
    "`@[comm] = count()`": f"{CALL} {{ @[comm] = count(); }}",
    "`@ = hist(args.pid)`": f"{CALL} {{ @ = hist(args.pid); }}",
    "`@++`": f"{CALL} {{ @++; }}",
    '`printf("%d %s\\n", pid, comm)`': f'{CALL} {{ printf("%d %s\\n", pid, comm); }}',
}
COMPARED = ("`@ = count()`", "`@[pid] = count()`", "`@ = hist(args.pid)`")
_CALLS = 300_000
_BCC = {
    "`@ = count()`": ("Hit Ctrl-C", "funccount-bpfcc", "t:syscalls:sys_enter_getpgid"),
    "`@ = hist(args.pid)`": ("[", "argdist-bpfcc", "-H", "t:syscalls:sys_enter_getpgid():int:args->pid"),
    '`printf("%d %s\\n", pid, comm)`': ("PID", "trace-bpfcc", 't:syscalls:sys_enter_getpgid "%d", args->pid'),
}
"""bcc's own tools for the same, behind what each says when it is attached."""


class BccTool(Tracer):
    """Its program is on the command line already."""

    def argv(self, program: str) -> list[str]:
        return list(self.command)


def answer(bench: Bench) -> Answer:
    bare = min(calls(_CALLS).least for _ in range(bench.rounds))
    table = Table(
        "Nanoseconds added to the traced call",
        ("program", *(tracer.name for tracer in bench.tracers), "bcc's own tool"),
        note=f"An untraced call took {bare:.0f} ns. The first row is what the call takes more with an empty "
        "program; the rows below are what the program adds to that. In the `printf` row a tracer that can't keep up "
        "drops events, which is cheaper than writing them. bcc's own tools: funccount, argdist and trace, compiled "
        "against Debian's kernel headers; a dash where it has none for that.",
    )
    empty: dict[str, float] = {}
    ratios = {}
    for label, program in PROGRAMS.items():
        found = bench.least(lambda tracer, program=program: _per_call(tracer, program))  # type: ignore[misc]  # a default isn't inferred
        base = empty or dict.fromkeys(found, bare)
        added = {name: value - base[name] for name, value in found.items()}
        bcc = _bcc(label, bench.rounds)
        shown = f"{bcc - empty[OURS.name]:.1f}" if bcc and empty else "-"
        table.rows.append([label, *(f"{added[tracer.name]:.1f}" for tracer in bench.tracers), shown])
        empty = empty or found
        if label in COMPARED and bench.newest:
            ratios[f"ns added by {label.strip('`')}"] = max(added[OURS.name], 0.1) / max(added[bench.newest.name], 0.1)
    return Answer([table], ratios)


def _per_call(tracer: Tracer, program: str) -> float:
    with tracing(tracer, program):
        return calls(_CALLS).least


def _bcc(label: str, rounds: int) -> float:
    if label not in _BCC or not shutil.which(_BCC[label][1]) or not headers.environment():
        return 0.0
    notice, *command = _BCC[label]
    # trace doesn't end by Ctrl-C while events wait for it: Python drops what is raised in a callback.
    tool = BccTool("bcc", tuple(command), notice=notice, patience=3.0)
    least = float("inf")
    for _ in range(rounds):
        with tracing(tool, "", environment=headers.environment()):
            least = min(least, calls(_CALLS).least)
    return least

