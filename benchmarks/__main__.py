"""All questions, side by side with bpftrace; the answers go into docs/benchmarks.md.

    python -m benchmarks [--rounds N] [--only QUESTION...] [--print]

Needs root. Takes some ten minutes; the first time on a machine also makes the roots with Debian's newer bpftrace.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable

from benchmarks import added, events, growth, leaving, page, peers, weight
from benchmarks.frame import HERE, Answer, Bench, Given

DOCS = HERE.parent / "docs"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", nargs="+", choices=tuple(QUESTIONS), default=[], metavar="QUESTION")
    parser.add_argument("--print", action="store_true", help="to the terminal, not into docs/")
    options = parser.parse_args()
    if os.geteuid() != 0:
        sys.stderr.write("The benchmarks load BPF programs: run them as root.\n")
        return 1
    peers.enter_namespace()
    # Other work on the machine waits for the programs that are measured; all of them alike.
    os.setpriority(os.PRIO_PROCESS, 0, -20)
    bench = Bench(peers.tracers(), rounds=options.rounds)
    loads = [os.getloadavg()[0]]
    answers: list[Answer] = []
    for name, question in QUESTIONS.items():
        if not options.only or name in options.only:
            sys.stderr.write(f"{time.strftime('%T')} {name}\n")
            answers.append(question(bench))
            loads.append(os.getloadavg()[0])
            _tell(answers, bench, loads=loads, print_only=options.print)  # so far: the rest takes minutes
    for answer in answers:
        for label, ratio in answer.ratios.items():
            sys.stderr.write(f"{ratio:6.2f}  {label}\n")
    return 0


def _tell(answers: list[Answer], bench: Bench, *, loads: list[float], print_only: bool) -> None:
    names = ", ".join(tracer.name for tracer in bench.tracers)
    machine = (
        f"{os.cpu_count()} CPUs, Linux {platform.release()}, {time.strftime('%Y-%m-%d')}: {names}. Load average while "
        f"it ran: {min(loads):.1f} to {max(loads):.1f}; what is measured ran at the highest priority."
    )
    text = page.page(answers, machine=machine, command="make bench")
    if print_only:
        sys.stdout.write(text)
        return
    (DOCS / "benchmarks.md").write_text(text)
    (DOCS / "benchmarks.svg").write_text(
        page.picture({label: ratio for answer in answers for label, ratio in answer.ratios.items()})
    )


def _start(bench: Bench) -> Answer:
    """benchmarks/start.py tells in a table of its own."""
    told = subprocess.run(
        [sys.executable, HERE / "start.py", "--rounds", str(bench.rounds)],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    ).stdout
    return Answer([Given("Source to attached", told)])


QUESTIONS: dict[str, Callable[[Bench], Answer]] = {
    "start": _start,
    "added": added.answer,
    "events": events.answer,
    "weight": weight.answer,
    "growth": growth.answer,
    "leaving": leaving.answer,
}

if __name__ == "__main__":
    sys.exit(main())
