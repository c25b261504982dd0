"""What generated programs call is declared: bcc's own headers aren't read."""

import re
from pathlib import Path

import pytest

from tracejob_agent.bpf.helpers import HELPER_NAMES, declarations

CODEGEN = Path(__file__).parents[2] / "node-agent/tracelang/codegen"
CALL = re.compile(r'\bbpf_(?:\{[a-z]+\}|[a-z0-9_]|\{[a-z]+\})+(?=[("])')


def calls() -> set[str]:
    texts = [path.read_text() for kind in ("*.py", "*.c", "*.j2") for path in CODEGEN.rglob(kind)]
    return {name for text in texts for name in CALL.findall(text)}


def test_every_helper_that_the_generator_writes_is_declared() -> None:
    found = set()
    for name in calls() - {"bpf_pseudo_fd"}:
        found |= {name.replace("{space}", space) for space in ("kernel", "user")}
    assert {"bpf_map_lookup_elem", "bpf_probe_read_user_str", "bpf_probe_read_kernel"} <= found
    assert found <= HELPER_NAMES


@pytest.mark.parametrize("name", sorted(HELPER_NAMES))
def test_a_helper_is_declared_once(name: str) -> None:
    assert declarations().count(f"(*{name})(") == 1
