"""`tracejob-agent`: `--request FILE` works for the operator; `local ...` traces this machine for a person."""

from __future__ import annotations

import sys

USAGE = """\
usage: tracejob-agent --request FILE    trace what the operator's request asks for; records on stdout
       tracejob-agent local [OPTIONS]   trace this machine (see tracejob-agent local --help)
       tracejob-agent --version
"""


def main() -> int:
    match sys.argv[1:]:
        case ["--request", path]:
            from tracejob_agent.stop_signal import StopSignal

            stop = StopSignal()
            stop.watch()  # before the imports that take a while
            from pathlib import Path

            from tracejob_agent.agent import Agent
            from tracejob_agent.output.record_writer import RecordWriter
            from tracejob_agent.request_file import RequestFile

            return int(Agent(RequestFile(Path(path)), RecordWriter(1), stop).run())
        case ["local", *arguments]:
            from tracejob_agent.local import run_local

            return run_local(arguments)
        case ["--version"]:
            from tracejob_api.version import VERSION

            print(f"tracejob-agent {VERSION}")
            return 0
        case ["--help" | "-h"]:
            print(USAGE, end="")
            return 0
        case _:
            sys.stderr.write(USAGE)
            return 1


if __name__ == "__main__":
    sys.exit(main())
