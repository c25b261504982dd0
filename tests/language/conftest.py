"""Collects tests/language/cases/*.txt: every case is a test that runs a real program on the real kernel."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from language.build import build_programs
from language.cases import Case, Expectation, read_cases
from language.runner import IS_WARM, UPSTREAM, complaint, difference, run_case

HERE = Path(__file__).parent


class CaseFailed(AssertionError):
    """A case whose outcome differs; the message is for a person."""


def pytest_collect_file(parent: pytest.Collector, file_path: Path) -> pytest.Collector | None:
    if file_path.suffix == ".txt" and file_path.parent == HERE / "cases":
        return CaseFile.from_parent(parent, path=file_path)
    return None


class CaseFile(pytest.File):
    def collect(self) -> Iterator[pytest.Item]:
        for case in read_cases(self.path):
            item = CaseItem.from_parent(self, name=case.name, case=case)
            item.add_marker(pytest.mark.kernel)
            yield item


class CaseItem(pytest.Item):
    def __init__(self, *, case: Case, **arguments: object) -> None:
        super().__init__(**arguments)  # type: ignore[arg-type]  # pytest passes its own keywords through
        self.case = case

    def runtest(self) -> None:
        reason = reason_to_skip(self.case)
        if reason:
            pytest.skip(reason)
        case = self.case if kernel_version() >= self.case.older.version else as_on_older(self.case)
        outcome = run_case(case, programs=build_programs())
        problem = complaint(case, outcome)
        # Not in a guest of the kernel matrix, where that takes a minute: what they print is the same on every kernel.
        if not problem and self.case.upstream == "same" and not IS_WARM:
            if not shutil.which(UPSTREAM):
                pytest.skip("Debian's bpftrace isn't installed, so there is nothing to compare with")
            # Its complaints about old kernels and newer ones go to stderr.
            upstream = run_case(self.case, programs=build_programs(), trace=f"{UPSTREAM} 2>/dev/null")
            problem = difference(outcome, upstream)
        if problem:
            raise CaseFailed(f"{self.case.program or self.case.run}\n{problem}")

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: object = None) -> str:
        if isinstance(excinfo.value, CaseFailed):
            return str(excinfo.value)
        return str(super().repr_failure(excinfo))

    def reportinfo(self) -> tuple[Path, int, str]:
        return self.path, self.case.line - 1, self.name


def reason_to_skip(case: Case) -> str:
    """Why this kernel can't run the case, "" when it can."""
    if case.needs and (reason := kernel_lacks(case.needs)):
        return reason
    if case.needs_file and not Path(case.needs_file).exists():
        return f"there is no {case.needs_file} here"
    if case.lacks and not kernel_lacks(case.lacks):
        return f"this kernel has {case.lacks}"
    if kernel_version() < case.since.version:
        return f"since Linux {'.'.join(map(str, case.since.version))}: {case.since.text}"
    return ""


def as_on_older(case: Case) -> Case:
    """The case with what a kernel that lacks its feature must say."""
    return replace(case, expectations=[Expectation("EXPECT", case.older.text)], exit_code=1)


@cache
def kernel_version() -> tuple[int, int]:
    major, minor = os.uname().release.split(".")[:2]
    return int(major), int(minor.partition("-")[0])


@cache
def kernel_lacks(provider: str) -> str:
    """The kernel's reason to refuse a provider, "" when it has it."""
    from tracejob_agent.kernel.host_facts import HostFacts

    return HostFacts().unsupported(provider)
