"""The tools of Debian's bpftrace package that trace kernel functions attach unchanged, and print what they should.

They are bookworm's, and trixie's where newer kernels need newer ones. Newer kernels lack some of their functions. Then
the message must name one that really isn't there, and with `missing_probes=warn` the rest must attach.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from language.build import build_programs
from language.cases import Case, Expectation
from language.conftest import kernel_version
from language.runner import Outcome, complaint, run_case
from matrix.report import note

FOLDERS = {"bookworm": Path("/usr/sbin"), "trixie": Path(os.environ.get("TRACEJOB_TEST_NEWER_TOOLS", ""))}
DO = f"/usr/bin/python3 -S {Path(__file__).parent / 'work.py'}"
READ_DISK = "dd if=/dev/vda of=/dev/null bs=4k count=40 iflag=direct"
USE_XFS = (
    "truncate -s 320M /tmp/xfs; mkfs.xfs -q /tmp/xfs; mkdir -p /tmp/mnt; mount -o loop /tmp/xfs /tmp/mnt; "
    "dd if=/dev/zero of=/tmp/mnt/file bs=64k count=8 conv=fsync; cat /tmp/mnt/file; umount /tmp/mnt"
)
SWAP = f"mkswap -q /dev/ram0; swapon /dev/ram0; {DO} swap; sleep 2.5; swapoff /dev/ram0"
_ATTACHED = re.compile(r"^Attached (\d+) probes?$", re.MULTILINE)
_WHOLE_PROBE = "WARNING: Probe has no valid attach points."
_MISSING = re.compile(r"No matches for kprobe (\S+?)\.(?:\s|$)")
_REFUSED = re.compile(r"^ERROR: kprobe:(\S+) can't be attached", re.MULTILINE)
_HISTOGRAM = r"^\[\S+\)?\s.*\d+ \|@* *\|$"
_ADDRESS = r"127\.0\.0\.1"


@dataclass(frozen=True, slots=True)
class Tool:
    """work: a shell command that makes events. lines: must be in the output. since: a kernel with what it reads."""

    name: str
    work: str
    lines: tuple[str, ...]
    since: tuple[int, int] = (0, 0)
    suite: str = "bookworm"

    def __str__(self) -> str:
        return f"{self.name}.bt of {self.suite}"

    @property
    def path(self) -> Path:
        return FOLDERS[self.suite] / f"{self.name}.bt"


TOOLS = (
    Tool("biolatency", READ_DISK, (r"^@usecs: *$", _HISTOGRAM)),
    Tool(
        "biosnoop",
        READ_DISK,
        (r"^TIME\(ms\) +DISK +COMM +PID +LAT\(ms\)$", r"^\d+ +vda +dd +\d+ +\d+$"),
        since=(5, 15),  # request_queue.disk
    ),
    Tool("biostacks", READ_DISK, (r"^@usecs\[", r"^ +\w+\+\d+$", _HISTOGRAM)),
    Tool(
        "capable",
        "unshare -m true",
        (r"^TIME +UID +PID +COMM ", r"^\d\d:\d\d:\d\d +0 +\d+ +unshare +21 +CAP_SYS_ADMIN"),
    ),
    Tool("dcsnoop", "ls /nonexistent", (r"^TIME +PID +COMM +T FILE$", r"^\d+ +\d+ +ls +[RM] ")),
    Tool(
        "mdflush",
        f"{DO} flush",
        (r"^TIME +PID +COMM +DEVICE$", r"^\d\d:\d\d:\d\d \d+ +python3 +md127$"),
        since=(5, 12),  # bio.bi_bdev
    ),
    Tool(
        "oomkill",
        f"{DO} oom",
        (
            r"^Tracing oom_kill_process\(\)",
            r'^\d\d:\d\d:\d\d Triggered by PID \d+ \(".+"\), OOM kill of PID \d+ \("python3"\), \d+ pages, loadavg: \d',
        ),
    ),
    Tool("swapin", SWAP, (r"^\d\d:\d\d:\d\d$", r"^@\[python3, \d+\]: \d+$")),
    Tool(
        "tcpaccept",
        f"{DO} tcp",
        (rf"^\d\d:\d\d:\d\d +\d+ +python3 +{_ADDRESS} +\d+ +{_ADDRESS} +\d+ +\d+/\d+",),
    ),
    Tool("tcpconnect", f"{DO} tcp", (rf"^\d\d:\d\d:\d\d +\d+ +python3 +{_ADDRESS} +\d+ +{_ADDRESS} +\d+",)),
    Tool("tcplife", f"{DO} tcp", (rf"^\d+ +python3 +{_ADDRESS} +\d+ +{_ADDRESS} +\d+ +\d+ +\d+ \d+$",)),
    Tool(
        "tcpretrans",
        f"{DO} unanswered",
        (
            r"^TIME +PID +LADDR:LPORT +RADDR:RPORT +STATE$",
            rf"^\d\d:\d\d:\d\d \d+ +{_ADDRESS}:\d+ +{_ADDRESS}:\d+ +SYN_SENT$",
        ),
    ),
    Tool("tcpsynbl", f"{DO} tcp", (r"^@backlog\[\d+\]: *$", _HISTOGRAM)),
    Tool("undump", f"{DO} unix", (r"^\d\d:\d\d:\d\d +python3 +\d+ +5 +hello$",)),
    Tool("vfscount", "cat /proc/version", (r"^@\[vfs_read\]: \d+$", r"^@\[vfs_open\]: \d+$")),
    Tool("vfsstat", "cat /proc/version; sleep 1.5", (r"^@\[vfs_read\]: \d+$", r"^@\[vfs_open\]: \d+$")),
    Tool("xfsdist", USE_XFS, (r"^@us\[xfs_file_write_iter\]: *$", _HISTOGRAM)),
)
NEWER = (
    Tool("biolatency", READ_DISK, (r"^@usecs: *$", _HISTOGRAM), since=(6, 5), suite="trixie"),
    Tool(
        "biosnoop",
        READ_DISK,
        (r"^TIME\(ms\) +DISK ID +COMM +PID +LAT\(ms\)$", r"^\d+ +\d+ +\d+ +dd +\d+ +\d+$"),
        since=(6, 5),  # the tracepoint block_io_start, as for the others of this kind
        suite="trixie",
    ),
    Tool("biostacks", READ_DISK, (r"^@usecs\[", r"^ +\w+\+\d+$", _HISTOGRAM), since=(6, 5), suite="trixie"),
    Tool("swapin", SWAP, (r"^\d\d:\d\d:\d\d$", r"^@\[python3, \d+\]: \d+$"), suite="trixie"),
)


def test_every_tool_that_traces_kernel_functions_is_here() -> None:
    """So that a newer package's tools aren't forgotten."""
    text = {path.stem: path.read_text() for path in FOLDERS["bookworm"].glob("*.bt")}
    assert text, "the bpftrace package is part of the guest's disk"
    tracing = {name for name, content in text.items() if re.search(r"^\s*(kprobe|kretprobe|k|kr):", content, re.M)}
    assert tracing == {tool.name for tool in TOOLS}


@pytest.mark.parametrize("tool", TOOLS + NEWER, ids=str)
def test_a_tool_attaches_and_prints(tool: Tool) -> None:
    if kernel_version() < tool.since:
        pytest.skip(f"{tool} reads what Linux has since {'.'.join(map(str, tool.since))}")
    outcome = run(tool, missing="error")
    gone = missing(outcome)
    lines = tool.lines
    if gone:
        traceable = Path("/sys/kernel/tracing/available_filter_functions").read_text()
        for function in gone:
            assert not is_in(traceable, function), f"{function} is there: {outcome.output}"
        outcome = run(tool, missing="warn")
        refused = _REFUSED.findall(outcome.output)
        if refused:
            assert not any(is_in(traceable, function) for function in refused)
            pytest.skip(f"{tool}: this kernel has no {', '.join(gone)}, and no probes at {', '.join(refused)}")
        # Where a whole probe is missing, the rest can't know what is in the maps that it fills.
        if _WHOLE_PROBE in outcome.output and not _ATTACHED.search(outcome.output):
            pytest.skip(f"{tool}: this kernel has no {', '.join(gone)}, which is all that one probe asks for")
        # One of several names is enough; a tool that lacks all of a probe's has nothing to say.
        if not all(any(is_in(traceable, name) for name in names) for names in functions_of(tool)):
            lines = ()
    found = _ATTACHED.search(outcome.output)
    assert found, outcome.output
    case = Case(name=tool.name, line=0, expectations=[Expectation("EXPECT_REGEX", line) for line in lines])
    problem = complaint(case, outcome)
    assert not problem, problem
    without = f" without {', '.join(gone)} (not in this kernel)" if gone else ""
    printed = len(outcome.output[found.end() :].splitlines())
    note(f"{tool}: attached {found[1]} probes{without}, printed {printed} lines")


def functions_of(tool: Tool) -> list[list[str]]:
    """The names after kprobe: and kretprobe:, probe by probe."""
    probes = re.findall(r"^(?:k(?:ret)?probe:\S+,\s+)*k(?:ret)?probe:\S+", tool.path.read_text(), re.MULTILINE)
    return [re.findall(r"probe:([^\s,]+)", probe) for probe in probes]


def is_in(traceable: str, function: str) -> bool:
    """Whether the kernel's list of functions has that one; its name may hold a *."""
    pattern = r"\S*".join(re.escape(part) for part in function.split("*"))
    return re.search(f"^{pattern}(?: |$)", traceable, re.MULTILINE) is not None


def run(tool: Tool, *, missing: str) -> Outcome:
    case = Case(
        name=tool.name,
        line=0,
        run=f"exec {{{{TRACE}}}} {tool.path}",
        after=f"{{ {tool.work}; }}; sleep 0.5; kill -INT {{{{TRACE_PID}}}}",
        environment={"BPFTRACE_MISSING_PROBES": missing},
        timeout=8.0,
    )
    return run_case(case, programs=build_programs())


def missing(outcome: Outcome) -> list[str]:
    """Functions that the message says aren't there."""
    return sorted(set(_MISSING.findall(outcome.output))) if outcome.exit_code else []
