"""Collects tests/language/cases/*.txt: every case is a test that runs a real program on the real kernel."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from language.cases import Case, read_cases
from language.runner import UPSTREAM, complaint, difference, run_case

HERE = Path(__file__).parent
BUILD = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "tracejob" / "test-programs"


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
        if self.case.needs:
            reason = kernel_lacks(self.case.needs)
            if reason:
                pytest.skip(reason)
        outcome = run_case(self.case, programs=build_programs())
        problem = complaint(self.case, outcome)
        if not problem and self.case.upstream == "same":
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


def kernel_lacks(provider: str) -> str:
    """The kernel's reason to refuse a provider, "" when it has it."""
    from tracejob_agent.kernel.host_facts import HostFacts

    return HostFacts().unsupported(provider)


def build_programs() -> Path:
    """The test programs, compiled when their source is newer; the folder that holds them."""
    BUILD.mkdir(parents=True, exist_ok=True)
    for source in sorted((HERE / "programs").glob("*.c")):
        target = BUILD / source.stem
        if not target.exists() or target.stat().st_mtime < source.stat().st_mtime:
            compiler = shutil.which("gcc")
            assert compiler, "the test programs need gcc: make install-deps"
            partial = target.with_suffix(f".{os.getpid()}")
            command = [compiler, "-g", "-O0", "-fno-omit-frame-pointer", "-rdynamic", "-pthread", "-o", str(partial)]
            subprocess.run([*command, str(source)], check=True)
            partial.rename(target)
    return BUILD
