"""Waits for a job to become something, by watching it."""

from __future__ import annotations

import time
from collections.abc import Callable

from kubectl_trace import jobs
from kubectl_trace.client import Api, Gone, NotFound
from kubectl_trace.errors import CommandError
from kubectl_trace.exit_status import ExitStatus
from kubectl_trace.jobs import Job


def wait_until(
    api: Api, job: Job, *, done: Callable[[Job], bool], timeout: float, what: str, deleted_is_done: bool = False
) -> Job:
    """The job's first version that is `done`; CommandError after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while not done(job):
        left = deadline - time.monotonic()
        if left <= 0:
            raise CommandError(f"{job.name} took longer than {timeout:g} s {what}", status=ExitStatus.TIMED_OUT)
        try:
            for seen in jobs.watch(api, job, seconds=max(1, min(int(left), jobs.WATCH_SECONDS))):
                if seen is None:
                    raise NotFound(f"{job.name} was deleted")
                job = seen
                if done(job):
                    return job
            job = jobs.get(api, job.name)
        except Gone:
            job = jobs.get(api, job.name)
        except NotFound:
            if deleted_is_done:
                return job
            raise
    return job
