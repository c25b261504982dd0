"""What a cluster's client prints from records is what the agent itself prints as text."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tracejob_api.records import Result, decode_record
from tracejob_api.text import render_maps

AGENT = Path(sys.executable).parent / "tracejob-agent"

PROGRAM = """begin {
  @z = 0; @a = 7; @n = "text"; @neg = -5; @b = true; @t = (1, (2, "x"));
  @k[1, "a"] = 1; @k[2, "b"] = 2; @same["x"] = 3; @same["y"] = 3; @nest[(1, "z")] = 4;
  @c = count(); @s = sum(5); @s = sum(8); @lo = min(-4); @hi = max(9); @av = avg(7); @av = avg(8);
  @st = stats(5); @st = stats(8); @st2[1] = stats(-2); @st2[2] = stats(100);
  @h = hist(5); @h = hist(0); @h = hist(-3); @h = hist(1); @h = hist(5000); @h = hist(1 << 45);
  @fine = hist(10, 2); @fine = hist(100, 2); @fine = hist(5000, 2); @finer = hist(1300, 3);
  @hk[2] = hist(3); @hk[1] = hist(3); @hk[1] = hist(30);
  @l = lhist(-1, 0, 20, 10); @l = lhist(5, 0, 20, 10); @l = lhist(99, 0, 20, 10);
  @lk = lhist(3000, 0, 10240, 1024); @one = lhist(2, 0, 5, 1); @rest[1] = lhist(9, 0, 10, 4);
  exit();
}"""


def agent(form: str) -> str:
    done = subprocess.run(
        [AGENT, "local", "-e", PROGRAM, "-o", form],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    return done.stdout


def test_records_render_to_the_agents_own_text() -> None:
    result = decode_record(agent("jsonl").splitlines()[-1])
    assert isinstance(result, Result)
    assert len(result.maps) == 24
    assert render_maps(result.maps).strip() == agent("text").strip()
