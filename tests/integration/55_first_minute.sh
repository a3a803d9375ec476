#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A container that is only mounted changes next to nothing in its first minute: the kernel has no
# inode tables to zero, no backups to write, no index or journal to set right. At most 16 pool
# blocks, sync and umount included, whoever mounts it; and what reading all files costs is shown.
# needs: root
# waits: yes
# weight: 70
# Mounts of its own, so that namespaces which others make meanwhile have no copies of them.
[ -n "${ALONE:-}" ] || ALONE=1 exec unshare --mount --propagation private bash "$0" "$@"
. "$(dirname "$0")/../support/lib.sh"
[ -b "$(losetup -f 2>/dev/null)" ] || skip 'no loop devices here'

LIMIT=16
SECONDS_MOUNTED=65 # the kernel's own delays are 5 and 30 s, those of lazy initialisation below 10
image=oci:$IMAGES/debian:debian

copy() { # FILE: as it is now
    cp --sparse=always "$1" "$1.before"
}

changed() { # WHAT FILE [LIMIT]
    local what=$1
    shift
    python3 "$SUPPORT/changed_blocks.py" "$1.before" "$@" >"$WORK/changed" ||
        { cat "$WORK/changed"; fail "$what: more than $LIMIT blocks"; }
    say "$what: $(cat "$WORK/changed")"
    e2fsck -fn "$1" >"$WORK/e2fsck" 2>&1 || { cat "$WORK/e2fsck"; fail "$what: e2fsck"; }
}

read_all() { # FILE OPTIONS
    copy "$1"
    mount -o "loop,$2" "$1" "$WORK/mnt"
    find "$WORK/mnt" -xdev -type f -exec cat {} + >/dev/null
    umount "$WORK/mnt"
}

expect 0 tp -q pull "$image"
expect 0 tp create "$image" box
expect 0 tp path box
device=$(cat "$WORK/out")
file=$(losetup -n -O BACK-FILE "$device")
tp umount box >/dev/null
[ -f "$file" ] || fail "no file behind $device"
copy "$file"
raw "$image" "$WORK/plain.ext4"
copy "$WORK/plain.ext4"
mkdir "$WORK/plain" "$WORK/mnt" "$WORK/usual"
say 'beside them, what mke2fs makes of 4 GiB by default'
truncate -s 4G "$WORK/usual.ext4"
mke2fs -q -t ext4 "$WORK/usual.ext4"
copy "$WORK/usual.ext4"

say "mounted for $SECONDS_MOUNTED s"
expect 0 tp mount box
mountpoint -q "$(cat "$WORK/out")" || fail 'not mounted'
mount -o loop "$WORK/plain.ext4" "$WORK/plain"
mount -o loop "$WORK/usual.ext4" "$WORK/usual"
sleep $SECONDS_MOUNTED
sync -f "$(cat "$WORK/out")" "$WORK/plain" "$WORK/usual"
expect 0 tp umount box
umount "$WORK/plain" "$WORK/usual"
changed 'thinpull mount' "$file" $LIMIT
changed 'mount -o loop' "$WORK/plain.ext4" $LIMIT
changed 'that of mke2fs' "$WORK/usual.ext4"

cp --sparse=always "$WORK/plain.ext4" "$WORK/atime.ext4"
read_all "$WORK/plain.ext4" noatime
changed 'all files read, noatime' "$WORK/plain.ext4" $LIMIT
read_all "$WORK/atime.ext4" relatime
changed 'all files read, relatime' "$WORK/atime.ext4"
finish
