#!/bin/bash
# Init of the guest: mounts what a tracer expects, runs the command from the checkout's disk, says how it ended, powers off.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TERM=dumb TRACEJOB_TEST_SLOWNESS=12
mount -t proc none /proc
mount -t sysfs none /sys
mount -t tmpfs none /tmp
mount -t tmpfs none /run
mount -t tmpfs none /var/cache
mount -t tracefs none /sys/kernel/tracing
mount -t debugfs none /sys/kernel/debug 2>/dev/null
mount -t bpf none /sys/fs/bpf
mount -t cgroup2 none /sys/fs/cgroup
ip link set lo up 2>/dev/null
mkdir -p /checkout
mount -t ext4 /dev/vdb /checkout
while read -r root; do
  mkdir -p "$root"
  mount --bind "/checkout$root" "$root"
done < /checkout/roots
echo "guest: $(uname -r)"
bash /checkout/command.sh < /dev/null
echo "guest: exit code $?"
sync
echo o > /proc/sysrq-trigger
sleep 60
