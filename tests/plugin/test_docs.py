"""The documents hold together: links between them lead somewhere, every verb that they name is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from kubectl_trace.commands import VERBS

REPOSITORY = Path(__file__).resolve().parents[2]
DOCUMENTS = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"] + [
    str(path.relative_to(REPOSITORY)) for path in sorted((REPOSITORY / "docs").rglob("*.md"))
]


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_between_documents_lead_somewhere(document: str) -> None:
    path = REPOSITORY / document
    for link in re.findall(r"\]\((?!https?:)([^)#]+)", path.read_text()):
        assert (path.parent / link).exists(), f"{document}: {link}"


@pytest.mark.parametrize("document", DOCUMENTS)
def test_documents_name_verbs_that_exist(document: str) -> None:
    text = (REPOSITORY / document).read_text()
    # As it is typed: at the start of a line of code, after a prompt, or between backquotes.
    for verb in re.findall(r"(?m)(?:^ {4}|\$ |`|\$\()kubectl trace ([a-z]+)\b", text):
        assert verb in VERBS, f"{document}: kubectl trace {verb}"
