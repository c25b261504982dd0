"""The command line as a whole: every verb explains itself, the table is right, help is quick."""

from __future__ import annotations

import subprocess
import sys
import time
from importlib import import_module

import pytest

from kubectl_trace.commands import VERBS
from kubectl_trace.exit_status import ExitStatus
from plugin.conftest import trace


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_is_there_and_explains_itself(verb: str) -> None:
    command = import_module(f"kubectl_trace.commands.{verb}").command
    assert command.name == verb
    assert command.help
    assert VERBS[verb].endswith(".")


def test_version_of_the_client_needs_no_cluster() -> None:
    said = trace("version", "--client")
    assert said.status is ExitStatus.DONE
    assert said.out.startswith("client: ")


def test_help_imports_neither_the_kubernetes_client_nor_the_compiler() -> None:
    code = (
        "import sys; from kubectl_trace.cli import main; sys.argv = ['kubectl trace', '--help']\n"
        "status = main()\n"
        "bad = {'kubernetes', 'tracelang', 'msgspec', 'yaml', 'rich'} & set(sys.modules)\n"
        "sys.exit(f'imported: {bad}' if bad or status else 0)"
    )
    started = time.monotonic()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Commands:" in done.stdout
    assert time.monotonic() - started < 5
