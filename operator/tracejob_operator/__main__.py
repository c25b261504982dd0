"""`tracejob-operator`: runs until SIGTERM. Settings come from the environment (see `settings`)."""

from __future__ import annotations

import argparse
import logging
import os
import sys

from tracejob_operator.settings import Settings, SettingsError


def main() -> None:
    parser = argparse.ArgumentParser(prog="tracejob-operator", description="Run TraceJobs in the cluster.")
    parser.add_argument(
        "--liveness", metavar="URL", help="serve a liveness endpoint, such as http://0.0.0.0:8080/healthz"
    )
    parser.add_argument("-v", "--verbose", action="store_true", help="log requests and decisions")
    arguments = parser.parse_args()
    logging.basicConfig(
        level=logging.DEBUG if arguments.verbose else logging.INFO,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
        stream=sys.stderr,
    )
    # kopf's own loggers tell about each event.
    logging.getLogger("kopf").setLevel(logging.WARNING)
    try:
        Settings.from_environment(os.environ)
    except SettingsError as error:
        sys.exit(f"tracejob-operator: {error}")
    # kopf names itself after the user, and the image's user has no name.
    os.environ.setdefault("LOGNAME", "tracejob-operator")
    import kopf

    from tracejob_operator.handlers import register

    kopf.run(registry=register(), standalone=True, clusterwide=True, liveness_endpoint=arguments.liveness)


if __name__ == "__main__":
    main()
