"""One verb per module; each has a `command`. This table is what `kubectl trace --help` lists without importing them."""

from __future__ import annotations

VERBS: dict[str, str] = {
    "run": "Trace a workload (or, with --local, this machine) and print what it gives.",
    "check": "Check a program's syntax without running it.",
    "compile": "Print the BPF C of a program, for this machine's kernel.",
    "probes": "List this machine's attach points.",
    "get": "List trace jobs.",
    "describe": "Show one job in full: conditions, targets, losses, cost.",
    "logs": "Print what a job's program printed; -f goes on until its end.",
    "attach": "Come back to a running job, as `run` would have stayed with it.",
    "results": "Print a job's merged maps.",
    "stop": "End a job early and keep its results.",
    "wait": "Wait until a job has attached or ended.",
    "delete": "Delete jobs with all they left.",
    "doctor": "Check what will and won't work: operator, rights, nodes, kernels.",
    "install": "Install or upgrade the operator.",
    "uninstall": "Remove the operator with all it made.",
    "version": "Versions of this plugin and of the cluster's operator.",
}
