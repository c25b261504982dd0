"""One-line accounts of a job: its targets, what was lost, what it cost. Pure."""

from __future__ import annotations

from kubectl_trace.jobs import Job
from tracejob_api.records import Losses
from tracejob_api.status import NodeCost

_PROBES_SHOWN = 4


def targets_line(job: Job) -> str:
    """`tracing 3 targets on 2 nodes`."""
    desired, nodes = job.status.targets.desired, job.status.summary.nodes
    on_nodes = f" on {nodes} {_plural('node', nodes)}" if nodes else ""
    return f"tracing {job.status.summary.target or 'target'}: {desired} {_plural('target', desired)}{on_nodes}"


def loss_line(losses: Losses) -> str:
    """What was lost and why; empty when nothing was."""
    parts = [
        f"{count} {words}"
        for count, words in (
            (losses.ring_buffer, "events didn't fit the ring buffer"),
            (losses.map_full, "updates found their map full"),
            (losses.rate_limited, "events were over the rate limit"),
            (losses.output_dropped, "output lines were over the size limit"),
            (losses.stacks, "stacks weren't stored by the kernel"),
            (losses.missed, "runs were skipped by the kernel"),
            (losses.transport, "records never reached the operator"),
            (losses.truncated, "map keys were left out of the result"),
        )
        if count
    ]
    return f"lost: {', '.join(parts)}{_by_probe(losses)}" if parts else ""


def _by_probe(losses: Losses) -> str:
    """Which probes lost how much, where there is more than one to tell apart."""
    if len(losses.probes) < 2:
        return ""
    return f" ({', '.join(f'{lost.probe}: {lost.total()}' for lost in losses.probes[:_PROBES_SHOWN])})"


def cost_line(cost: NodeCost) -> str:
    """What tracing took; empty when the agents didn't say."""
    if not cost.max_memory_bytes and not cost.cpu_seconds:
        return ""
    return (
        f"cost: {cost.hits} probe hits, {cost.cpu_seconds:.2f} s of CPU (at most {cost.max_cpu_percent:.1f} % of one), "
        f"{cost.max_memory_bytes / 2**20:.0f} MiB of memory{_neighbours(cost)}"
    )


def _neighbours(cost: NodeCost) -> str:
    """What uprobes took from other pods' processes that run the same file."""
    if not cost.neighbour_hits:
        return ""
    return f"; neighbours: {cost.neighbour_hits} hits took them {cost.neighbour_seconds:.2f} s"


def _plural(word: str, count: int) -> str:
    return word if count == 1 else f"{word}s"
