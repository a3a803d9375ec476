#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Kernel and reader agree on file systems of random layers; the kernel then goes on from there,
# creating, removing, renaming at random: e2fsck finds nothing and our reader finds what the kernel
# wrote. The same for a container of an image. THINPULL_ROUNDS=N: that many of them.
# needs: root
# weight: 20
# Mounts of its own, so that namespaces which others make meanwhile have no copies of them.
[ -n "${ALONE:-}" ] || ALONE=1 exec unshare --mount --propagation private bash "$0" "$@"
. "$(dirname "$0")/../support/lib.sh"
[ -b "$(losetup -f 2>/dev/null)" ] || skip 'no loop devices here'

RANDOM_EXT4=$TOP/build/release/tests/tools/ext4_random
image=$WORK/image.ext4
point=$WORK/mnt
mkdir "$point"

listing() { # FOLDER FILE
    python3 "$SUPPORT/tree.py" list "$1" >"$2"
}

# same A B: two listings
same() {
    python3 "$SUPPORT/tree.py" compare "$WORK/$1" "$WORK/$2" "$1" "$2" || fail "$1, $2"
}

# write POINT SEED CHANGES: by the kernel; what it shows then is $WORK/written
write() {
    python3 "$SUPPORT/random_writes.py" "$@" || fail 'most changes cannot be made'
    listing "$1" "$WORK/written"
}

# check FILE: after it was unmounted
check() {
    e2fsck -fn "$1" >"$WORK/e2fsck" 2>&1 || { cat "$WORK/e2fsck"; fail 'e2fsck'; }
    "$LIST" "$1" >"$WORK/reader"
    same written reader
}

for seed in $(seq "${THINPULL_ROUNDS:-2}"); do
    say "random layers, seed $seed"
    rm -f "$image"
    "$RANDOM_EXT4" "$image" "$seed" 5 300
    "$LIST" "$image" >"$WORK/reader"
    mount -o loop,noatime "$image" "$point"
    listing "$point" "$WORK/kernel"
    same kernel reader
    write "$point" "$seed" 150
    umount "$point"
    check "$image"
    mount -o loop,noatime "$image" "$point"
    listing "$point" "$WORK/kernel"
    umount "$point"
    same written kernel
done

say 'a container'
expect 0 tp pool create --base-size 1G
expect 0 tp -q pull "oci:$IMAGES/tools:umoci"
expect 0 tp create "oci:$IMAGES/tools:umoci" box
expect 0 tp mount box
write "$(cat "$WORK/out")" 1 150
expect 0 tp umount box
raw box "$image"
check "$image"
check_pool
finish
