"""`python3 -m kindcluster COMMAND` (up, down, load, env, ...): the commands behind the Makefile's targets."""

from __future__ import annotations

import argparse
import shlex
import sys

from kindcluster import base_image, cluster, docker_host
from kindcluster.steps import StepFailed


def main() -> int:
    parser = argparse.ArgumentParser(prog="kindcluster", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("up", help="a ready two-node cluster; prints its kubeconfig's path")
    commands.add_parser("programs", help="kubectl, etcd, kube-apiserver, ... as files; prints their folder")
    commands.add_parser("down", help="delete the cluster")
    commands.add_parser("load", help="put images onto the nodes").add_argument("images", nargs="+")
    commands.add_parser("env", help='print what a shell needs to use the cluster: eval "$(... env)"')
    commands.add_parser("base", help="make the Debian slim image; prints its name")
    commands.add_parser("docker", help="see to it that the Docker daemon answers; prints the client's path")
    commands.add_parser("stop-docker", help="end the Docker daemon that was started here")
    arguments = parser.parse_args()
    try:
        _do(arguments)
    except StepFailed as failure:
        print(f"kindcluster: {failure}", file=sys.stderr)
        return 1
    return 0


def _do(arguments: argparse.Namespace) -> None:
    match arguments.command:
        case "up":
            print(cluster.up())
        case "programs":
            print(cluster.programs())
        case "down":
            cluster.down()
        case "load":
            cluster.load(arguments.images)
        case "env":
            for name, value in cluster.environment().items():
                print(f"export {name}={shlex.quote(value)}")
        case "base":
            docker_host.ensure()
            print(base_image.ensure())
        case "docker":
            docker_host.ensure()
            print(docker_host.client())
        case "stop-docker":
            docker_host.stop()


if __name__ == "__main__":
    sys.exit(main())
