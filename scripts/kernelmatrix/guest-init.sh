#!/bin/bash
# Init of the guest: mounts what a tracer expects, runs the command from the checkout's disk, says how it ended, powers off.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin TERM=dumb TRACEJOB_TEST_SLOWNESS=12 PYTHONPYCACHEPREFIX=
mount -t proc none /proc
mount -t sysfs none /sys
mount -t tmpfs none /tmp
mount -t tmpfs none /run
mount -t tmpfs none /var/cache
mkdir -p /dev/shm /dev/pts
mount -t tmpfs none /dev/shm
mount -t devpts none /dev/pts
mount -t tracefs none /sys/kernel/tracing
mount -t debugfs none /sys/kernel/debug 2>/dev/null
mount -t bpf none /sys/fs/bpf
mount -t cgroup2 none /sys/fs/cgroup
ip link set lo up
for card in /sys/class/net/e*; do
  ip address add 10.0.2.15/24 dev "${card##*/}"
  ip link set "${card##*/}" up
done
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
