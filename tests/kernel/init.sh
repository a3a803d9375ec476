#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# PID 1 of the lab kernel: what a small system needs, then one job, then off. The root file system
# is the host's, so everything that is written goes to tmpfs mounts or to the job's own folder.

export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export HOME=/root LANG=C.UTF-8 DM_DISABLE_UDEV=1 THINPULL_LAB=1

mount -t proc proc /proc
mount -t sysfs sysfs /sys
mountpoint -q /dev || mount -t devtmpfs devtmpfs /dev
mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
mount -t tmpfs tmpfs /run
mkdir /run/src /run/lab
mount --bind "$LAB_SRC" /run/src
mount --bind "$LAB_DIR" /run/lab
for dir in /dev/shm /mnt /tmp /var/tmp; do
	mount -t tmpfs tmpfs "$dir"
done
mount -t cgroup2 cgroup2 /sys/fs/cgroup
ln -s /proc/self/fd /dev/fd
ln -s fd/0 /dev/stdin
ln -s fd/1 /dev/stdout
ln -s fd/2 /dev/stderr

# uml: as its package has them; qemu: there since before the root file system
[ -z "${LAB_MODULES:-}" ] || for module in drivers/md/dm-mod drivers/md/dm-bufio \
	drivers/md/persistent-data/dm-persistent-data drivers/md/dm-bio-prison \
	drivers/md/dm-thin-pool drivers/md/dm-flakey drivers/block/loop fs/overlayfs/overlay; do
	busybox insmod "$LAB_MODULES/$module.ko" || echo "lab: no module $module"
done
dmsetup mknodes
busybox ip link set lo up

cd /run/src || halt -f -p
if [ -n "${LAB_SCRIPT:-}" ]; then
	bash "$LAB_SCRIPT" >/run/lab/output 2>&1 </dev/null
	echo $? >/run/lab/status
else
	setsid -c bash -i <"/dev/${LAB_TTY:-tty0}" >"/dev/${LAB_TTY:-tty0}" 2>&1
fi
sync
halt -f -p
