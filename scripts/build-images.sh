#!/bin/bash
# Build tracejob/operator:dev and tracejob/node-agent:dev, and say how large they are.
# In: optionally --ca FILE (an extra certificate authority for pip); BASE=image instead of our own Debian slim.
set -euo pipefail
cd "$(dirname "$0")/.."
secret=()
[ "${1:-}" = --ca ] && [ -s "${2:-}" ] && secret=(--secret "id=ca,src=$2")
cluster=(env PYTHONPATH=scripts /usr/bin/python3 -m kindcluster)
docker=$("${cluster[@]}" docker)
base=${BASE:-$("${cluster[@]}" base)}
for target in operator node-agent; do
	image=tracejob/$target:dev
	DOCKER_BUILDKIT=1 "$docker" build --quiet --network=host --build-arg "BASE=$base" --target "$target" \
		--tag "$image" "${secret[@]}" . >/dev/null
	bytes=$("$docker" image inspect --format '{{.Size}}' "$image")
	echo "$image: $((bytes / 1000000)) MB"
done
