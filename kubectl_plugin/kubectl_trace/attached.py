"""A command that stays with a job until its end: `run`, `attach`, `logs -f`.

Comes in: a job, a view, what the user may read. Goes out: the exit status. Ctrl-C once stops the job and waits for its
results; twice leaves at once and says how to come back.
"""

from __future__ import annotations

from contextlib import closing

from kubectl_trace import jobs
from kubectl_trace.client import Api, NotFound
from kubectl_trace.context import Context
from kubectl_trace.errors import CommandError
from kubectl_trace.exit_status import ExitStatus
from kubectl_trace.follow import Follower, GivenUp, Interrupted, JobSeen, RecordSeen, Trouble, kept_records
from kubectl_trace.interrupts import Interrupts
from kubectl_trace.jobs import Job
from kubectl_trace.outcome import finished, outcome
from kubectl_trace.printers.findings import show_findings
from kubectl_trace.printers.view import View
from kubectl_trace.results import gather
from tracejob_api.escape import escape
from tracejob_api.labels import SYSTEM_NAMESPACE
from tracejob_api.records import Output
from tracejob_api.status import OutputLine, TraceJobStatus


class PrintedOnce:
    """Which output lines were printed: an agent's log, the status and the result overlap."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._next: dict[str, int] = {}
        self.count = 0

    def log(self, node: str, record: Output, *, pods: dict[str, str]) -> None:
        self._print(node=node, pod=record.pod or pods.get(node, ""), seq=record.seq, text=record.text)

    def lines(self, lines: tuple[OutputLine, ...], *, pods: dict[str, str]) -> None:
        for line in lines:
            self._print(node=line.node, pod=line.pod or pods.get(line.node, ""), seq=line.seq, text=line.text)

    def new_among(self, lines: tuple[OutputLine, ...]) -> int:
        """How many of them weren't printed yet."""
        return sum(line.seq >= self._next.get(line.node, 0) for line in lines)

    def _print(self, *, node: str, pod: str, seq: int, text: str) -> None:
        if seq < self._next.get(node, 0):
            return
        self._next[node] = seq + 1
        self.count += 1
        # "namespace/pod" in a status; a job's pods are all of one namespace.
        self._view.printed(node=node, pod=pod.rpartition("/")[2], seq=seq, text=text)


def stay(
    context: Context,
    api: Api,
    job: Job,
    view: View,
    *,
    interrupts: Interrupts,
    stops_on_interrupt: bool = True,
) -> ExitStatus:
    """Print what the job gives until it has ended."""
    agents_in = readable_agents(context, api)
    follower = Follower(api, job, agents_in=agents_in)
    printed = PrintedOnce(view)
    with closing(follower), closing(view):
        interrupts.tell(follower.interrupt)
        follower.start()
        for event in follower.events():
            match event:
                case RecordSeen(node=node, record=record, line=line):
                    view.record(node, record, line)
                    if isinstance(record, Output):
                        printed.log(node, record, pods=_pods_by_node(job.status))
                case JobSeen(job=None):
                    raise NotFound(f"{job.name} was deleted while it ran")
                case JobSeen(job=seen) if seen is not None:
                    job = seen
                    view.job(job)
                    if not agents_in:
                        printed.lines(_output_since(api, job, printed), pods=_pods_by_node(job.status))
                case Interrupted(times=times):
                    left = _interrupted(view, api, job, times=times, stops=stops_on_interrupt)
                    if left is not None:
                        return left
                case Trouble(message=message):
                    view.notice(f"warning: {message}")
                case GivenUp(error=error):
                    raise CommandError(
                        error.message, hint=f"the job goes on; come back with: kubectl trace attach {job.name.words}"
                    ) from error
        return conclude(context, api, job, view, printed=printed)


def conclude(context: Context, api: Api, job: Job, view: View, *, printed: PrintedOnce | None = None) -> ExitStatus:
    """Print a finished job's result, what was wrong with it, and give its exit status."""
    result = gather(api, job)
    if printed is not None:
        printed.lines(result.output, pods=_pods_by_node(job.status))
        missed = job.status.summary.events - printed.count
        if missed > 0 and job.status.summary.events:
            view.notice(
                f"missed: {missed} of {job.status.summary.events} output lines weren't kept long enough to print"
            )
    view.finished(job, result)
    return report(context, job)


def print_kept(context: Context, api: Api, job: Job, view: View) -> ExitStatus:
    """Print what is there by now of a job's output: agents' logs where they may be read, else status and result."""
    printed = PrintedOnce(view)
    view.job(job)
    pods = _pods_by_node(job.status)
    agents_in = readable_agents(context, api)
    if agents_in:
        for seen in kept_records(api, job, agents_in=agents_in):
            view.record(seen.node, seen.record, seen.line)
            if isinstance(seen.record, Output):
                printed.log(seen.node, seen.record, pods=pods)
    if finished(job.status):
        return conclude(context, api, job, view, printed=printed)
    result = gather(api, job)
    printed.lines(result.output, pods=pods)
    view.finished(job, result)
    return ExitStatus.DONE


def report(context: Context, job: Job) -> ExitStatus:
    """Say on stderr what was wrong with a finished job; its exit status."""
    shown = show_findings(context, job)
    ended = outcome(job.status)
    if ended.status is ExitStatus.PROGRAM_ERROR and shown:
        context.notice(f"error: the program has {shown} error{'s' if shown > 1 else ''}")
    elif ended.status is not ExitStatus.DONE or ended.message:
        context.notice(f"error: {escape(ended.message) or 'the job failed'}")
    return ended.status


def readable_agents(context: Context, api: Api) -> str:
    """The namespace whose agent logs the caller may read; empty when they may not."""
    may = api.may("get", "pods", subresource="log", namespace=SYSTEM_NAMESPACE) and api.may(
        "list", "pods", namespace=SYSTEM_NAMESPACE
    )
    if may:
        context.detail(f"reading the agents' logs in {SYSTEM_NAMESPACE}")
        return SYSTEM_NAMESPACE
    context.notice(
        f"reading the job's status (logs in {SYSTEM_NAMESPACE} aren't yours to read): output comes every few seconds"
    )
    return ""


def _interrupted(view: View, api: Api, job: Job, *, times: int, stops: bool) -> ExitStatus | None:
    """What Ctrl-C does; a status means: leave."""
    if not stops:
        return ExitStatus.DONE
    if times > 1:
        view.notice(f"left; for its results: kubectl trace attach {job.name.words}")
        return ExitStatus.INTERRUPTED
    if not finished(job.status):
        view.notice("stopping, the results follow (Ctrl-C again to leave at once)")
        jobs.stop(api, job.name)
    return None


def _output_since(api: Api, job: Job, printed: PrintedOnce) -> tuple[OutputLine, ...]:
    """The lines of the status; when more were printed than it holds, those of the result ConfigMaps."""
    lines = job.status.results.output
    if job.status.summary.events - printed.count > printed.new_among(lines) and not finished(job.status):
        kept = gather(api, job).output
        return kept if printed.new_among(kept) > printed.new_among(lines) else lines
    return lines


def _pods_by_node(status: TraceJobStatus) -> dict[str, str]:
    """The pod of each node that has just one target: its agent's output can only be from there."""
    pods: dict[str, set[str]] = {}
    for target in status.target_statuses:
        pods.setdefault(target.node, set()).add(target.pod)
    return {node: next(iter(names)) for node, names in pods.items() if len(names) == 1}
