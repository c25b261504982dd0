"""What is said of a refusal, by what the machine tells of itself."""

from __future__ import annotations

import errno

import pytest

from tracejob_agent.kernel.refusals import Circumstances, circumstances, explain
from tracelang.structs import replace

ROOT = Circumstances(
    lockdown="none",
    capabilities=(1 << 41) - 1,
    open_files=1024,
    locked_memory=-1,
    release=(6, 1),
    in_user_namespace=False,
)
BPF, PERFMON = 1 << 39, 1 << 38


@pytest.mark.parametrize(
    ("number", "found", "words"),
    [
        (errno.EPERM, replace(ROOT, capabilities=0), "neither CAP_BPF nor CAP_SYS_ADMIN"),
        (errno.EACCES, replace(ROOT, capabilities=BPF), "neither CAP_PERFMON nor CAP_SYS_ADMIN"),
        (errno.EPERM, replace(ROOT, in_user_namespace=True), "in a user namespace"),
        (errno.EPERM, replace(ROOT, lockdown="confidentiality"), "locked down (confidentiality)"),
        (errno.EPERM, replace(ROOT, capabilities=BPF | PERFMON, lockdown="integrity"), "locked down (integrity)"),
        (errno.EPERM, replace(ROOT, release=(5, 10), locked_memory=65536), "may lock 65536 bytes"),
        (errno.EPERM, replace(ROOT, release=(5, 11), locked_memory=65536), "a security module or a policy"),
        (errno.EPERM, replace(ROOT, release=(5, 10)), "a security module or a policy"),
        (errno.EMFILE, ROOT, "may have 1024 files open"),
    ],
)
def test_a_refusal_is_explained_by_its_likeliest_reason(number: int, found: Circumstances, words: str) -> None:
    assert words in explain(number, found)


@pytest.mark.parametrize("number", [None, errno.EINVAL, errno.ENOENT])
def test_other_errors_are_left_alone(number: int | None) -> None:
    assert explain(number, replace(ROOT, capabilities=0)) == ""


def test_the_circumstances_of_this_process_are_read() -> None:
    found = circumstances()
    assert found.release >= (4, 18)
    assert found.open_files > 0
