#!/bin/sh
# runc for a machine that doesn't have CAP_SYS_RESOURCE itself: what a container may not get, it doesn't ask for.
# In: runc's arguments. Out: the same command, after the capability was taken out of the bundle or the process file.
set -eu
previous=""
for argument in "$@"; do
	file=""
	case "$previous" in
		--bundle | -b) file="$argument/config.json" ;;
		--process | -p) file="$argument" ;;
	esac
	if [ -n "$file" ] && grep -qs CAP_SYS_RESOURCE "$file"; then
		# A config.json has the capabilities under .process, a process file has them at its top.
		jq -c 'walk(if type == "array" then map(select(. != "CAP_SYS_RESOURCE")) else . end)' "$file" >"$file.tracejob"
		cat "$file.tracejob" >"$file"
		rm -f "$file.tracejob"
	fi
	previous="$argument"
done
exec runc "$@"
