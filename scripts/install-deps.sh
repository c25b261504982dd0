#!/bin/sh
# Install what the demo, the tests, the kernel matrix or the benchmarks need from Debian, when it is missing. In: `demo`,
# `test`, `matrix` or `bench`.
# Out: packages.
set -eu
demo="python3 python3-venv python3-bpfcc ca-certificates"
matrix="$demo make gcc libc6-dev systemtap-sdt-dev mmdebstrap qemu-system-x86 busybox-static cpio xz-utils zstd e2fsprogs debian-archive-keyring"
test="$matrix git curl g++ jq bpftool bpftrace docker.io containerd runc iptables"
case "${1:-test}" in
	demo) wanted=$demo ;;
	test) wanted=$test ;;
	matrix) wanted=$matrix ;;
	bench) wanted="$demo gcc libc6-dev bpftrace mmdebstrap bpfcc-tools" ;;
	*)
		echo "usage: $0 [demo|test|matrix|bench]" >&2
		exit 2
		;;
esac

# Kubernetes and kind are built here; Debian's Go is there to fetch the newer one that they want.
[ "${1:-test}" != test ] || [ -x /usr/local/go/bin/go ] || wanted="$wanted golang-go"

missing=""
for package in $wanted; do
	dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q '^install ok installed$' || missing="$missing $package"
done
[ -z "$missing" ] && exit 0

if [ "$(id -u)" != 0 ]; then
	echo "These packages are missing; install them as root:" >&2
	echo "  apt-get install --no-install-recommends$missing" >&2
	exit 1
fi
echo "Installing from Debian:$missing"
export DEBIAN_FRONTEND=noninteractive
# Where an installation was killed half-way, dpkg wants that finished before anything else. Whatever holds its lock gets time.
if [ -n "$(dpkg --audit)" ] || [ -n "$(ls /var/lib/dpkg/updates)" ]; then
	echo "Finishing an installation that was interrupted"
	dpkg --configure -a || apt-get install -y -qq --fix-broken
fi
# A third-party list that doesn't answer is no reason to stop: what we need is in Debian's own.
apt-get update -qq || echo "apt-get update: some lists can't be reached; going on with the others"
# shellcheck disable=SC2086 # a list of names
apt-get install -y -qq --no-install-recommends -o DPkg::Lock::Timeout=120 $missing
