"""What was compiled once isn't compiled again, and a damaged cache does no harm."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest

from tracejob_agent import preparation
from tracejob_agent.errors import EngineError
from tracejob_agent.kernel.host_facts import HostFacts
from tracejob_agent.launch import launch
from tracejob_agent.preparation import Prepared, prepare
from tracelang.diagnostics import ProgramError
from tracelang.facts import Facts
from tracelang.plan import CompileOptions

TEXT = "tracepoint:syscalls:sys_enter_getpgid { @[comm] = count(); }"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TRACEJOB_CACHE", str(tmp_path))
    return tmp_path


def front_end() -> tuple[Facts, CompileOptions]:
    return HostFacts(), CompileOptions()


def no_front_end() -> tuple[Facts, CompileOptions]:
    raise EngineError("compiled again")


def made(text: str = TEXT, *, again: bool = False) -> Prepared:
    prepared = prepare(text, name="t", front_end=no_front_end if again else front_end, options_key="")
    prepared.settle()
    return prepared


def test_a_known_program_needs_no_compiler() -> None:
    first = made()
    second = made(again=True)
    assert second.plan == first.plan
    assert second.functions == first.functions
    assert set(second.stages) == {"cache"}


def test_another_text_is_compiled() -> None:
    made()
    with pytest.raises(EngineError, match="compiled again"):
        made(TEXT.replace("count()", "sum(1)"), again=True)


def test_a_damaged_entry_is_made_anew(folder: Path) -> None:
    made()
    for entry in (*folder.glob("plan-*"), *folder.glob("code-*")):
        entry.write_bytes(entry.read_bytes()[:-7] + b"garbage")
    assert made().functions == made(again=True).functions


def test_what_files_decide_is_not_kept() -> None:
    text = "uprobe:/lib/x86_64-linux-gnu/libc.so.6:getpgid { @ = count(); }"
    made(text)
    with pytest.raises(EngineError, match="compiled again"):
        made(text, again=True)


def test_mistakes_come_out_of_the_child_with_their_places() -> None:
    with pytest.raises(ProgramError) as caught:
        made("begin { printt(1); }")
    (item,) = caught.value.diagnostics.items
    assert item.span.start == 8
    assert "print" in item.hint
    assert caught.value.sources[0].text == "begin { printt(1); }"


def test_a_plain_program_can_be_launched_from_its_entry() -> None:
    made()
    prepared = made(again=True)
    data = prepared.launch
    assert data is not None
    launched = launch(data, prepared.functions)
    assert launched is not None
    try:
        assert len(launched.handles) == data["places"] == 1
    finally:
        launched.close()


def test_what_cannot_be_launched_leaves_nothing_behind() -> None:
    prepared = made()
    data = prepared.launch
    assert data is not None
    before = len(list(Path("/proc/self/fd").iterdir()))
    (program,) = data["programs"]
    (place,) = program["places"]
    data["programs"] = ({**program, "places": (place, {**place, "name": "syscalls/sys_enter_nothing"})},)
    assert launch(data, prepared.functions) is None
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_an_entry_for_other_records_is_made_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """As when a module was built again: the same kernel, another record."""
    made()
    monkeypatch.setattr(preparation, "tracepoint_record", lambda name: (1, "another record"))
    with pytest.raises(EngineError, match="compiled again"):
        made(again=True)


@pytest.mark.parametrize(
    "text",
    [
        "begin { @ = 1; exit(); }",  # may be over before anything is attached
        "tracepoint:syscalls:sys_enter_* { @ = count(); }",  # many places
        "uprobe:/lib/x86_64-linux-gnu/libc.so.6:getpgid { @ = count(); }",
    ],
)
def test_more_than_plain_programs_are_left_to_a_session(text: str) -> None:
    assert made(text).launch is None


def test_begin_probes_run_in_the_order_of_the_text() -> None:
    data = made('begin { @ = 1; } begin { @ = 2; } interval:s:9 { print("no"); }').launch
    assert data is not None
    assert [program["begin"] for program in data["programs"] if program["begin"] >= 0] == [0, 1]


class Stopped(Exception):
    """Raised by the signal."""


def test_a_signal_right_after_the_fork_finds_somebody_who_ends_the_child(monkeypatch: pytest.MonkeyPatch) -> None:
    fork = preparation._fork
    children = []

    def forked(text: str, **how: Any) -> tuple[int, int]:
        answer, pid = fork(text, **how)
        children.append(pid)
        signal.raise_signal(signal.SIGTERM)
        return answer, pid

    def stop(number: int, frame: object) -> None:
        raise Stopped

    monkeypatch.setattr(preparation, "_fork", forked)
    before = signal.signal(signal.SIGTERM, stop)
    try:
        with pytest.raises(Stopped):
            made()
    finally:
        signal.signal(signal.SIGTERM, before)
    (child,) = children
    assert not Path(f"/proc/{child}").exists()
