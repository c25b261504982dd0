"""The tools that bpftrace's packages install are programs of the language, unchanged."""

from __future__ import annotations

from pathlib import Path

import pytest

from tracelang.parser import parse
from tracelang.printer import print_program
from tracelang.report import render_diagnostics
from tracelang.source import Source
from tracelang.visitor import without_spans

_TOOLS = sorted(Path("/usr/sbin").glob("*.bt"))


@pytest.mark.skipif(not _TOOLS, reason="no bpftrace package is installed")
@pytest.mark.parametrize("tool", _TOOLS, ids=lambda path: path.name)
def test_tool_parses_and_prints_back(tool: Path) -> None:
    text = tool.read_text()
    program, diagnostics = parse(text, tool.name)
    assert program is not None, render_diagnostics(diagnostics, [Source(tool.name, text)])
    assert program.probes
    again, _ = parse(print_program(program))
    assert again is not None
    assert without_spans(again) == without_spans(program)
