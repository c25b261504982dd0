"""limits.cpuPercent: what is over it, and what isn't."""

from __future__ import annotations

from collections.abc import Callable

from tracejob_agent.budget import WINDOW, CpuBudget, Spent


def excesses(percent: float, load: Callable[[float], Spent], *, seconds: float = 6.0) -> list[tuple[float, str]]:
    """When, and what was said; the session asks every 20 ms."""
    now = [0.0]
    budget = CpuBudget(percent, lambda: load(now[0]))
    found = []
    for step in range(int(seconds * 50)):
        now[0] = step / 50
        said = budget.excess(now[0])
        if said:
            found.append((now[0], said))
    return found


def test_without_a_limit_nothing_is_too_much() -> None:
    assert excesses(0, lambda now: Spent(agent=now, programs=now)) == []


def test_the_agent_and_its_programs_count_together() -> None:
    assert excesses(50, lambda now: Spent(agent=0.3 * now, programs=0.15 * now)) == []
    (first, said), *_ = excesses(40, lambda now: Spent(agent=0.3 * now, programs=0.15 * now))
    assert first <= WINDOW + 0.5
    assert said == (
        "tracing took 45.0 % of a CPU (the agent 30.0, its probes 15.0), more than limits.cpuPercent (40) allows"
    )


def test_a_load_that_begins_late_is_seen_within_two_seconds() -> None:
    (first, _), *_ = excesses(50, lambda now: Spent(agent=0.9 * max(0.0, now - 3.1), programs=0.0))
    assert 3.1 < first <= 5.1


def test_a_short_peak_is_forgiven() -> None:
    assert excesses(50, lambda now: Spent(agent=min(0.4, max(0.0, now - 2.0)), programs=0.0)) == []
