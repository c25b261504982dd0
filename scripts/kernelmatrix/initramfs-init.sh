#!/bin/busybox sh
# First program of the guest: load what the root disk needs, mount it, go on there.
/bin/busybox --install -s /bin
export PATH=/bin
mount -t proc none /proc
mount -t sysfs none /sys
mount -t devtmpfs none /dev
@LOADS@
for i in 1 2 3 4 5 6 7 8 9 10; do
  [ -b /dev/vda ] && break
  sleep 0.2
done
mount -t ext4 /dev/vda /root || { echo "no root disk"; poweroff -f; }
mount --move /dev /root/dev
umount /sys /proc
exec switch_root /root /tracejob-init
