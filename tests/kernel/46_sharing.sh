#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Ten containers on one image share its blocks: each that is mounted costs the pool no more than 16
# blocks of 64 KiB, the record's growth aside; and their trees are those that the file engine's mount
# of the same image shows.
# weight: 20
. "$(dirname "$0")/lib.sh"

CONTAINERS=10
MOST=16 # blocks for each
image=oci:$TOP/build/images/debian:debian
tree() { # FOLDER
    python3 "$TOP/tests/support/tree.py" list "$1"
}

used_blocks() { # of the pool, by the kernel's own count
    dmsetup status "$pool" | sed 's/.* \([0-9]*\)\/[0-9]* - rw .*/\1/'
}

record_blocks() { # that the record maps
    echo $(($(dmsetup status "$record" | cut -d' ' -f4) / 128))
}

export THINPULL_ENGINE=kernel
tp pool create --loop --size 2G >/dev/null
tp -q pull "$image" >/dev/null
record=$(dmsetup ls | cut -f1 | grep -- '-0$')
pool=${record%-0}-pool
before=$(used_blocks) record_before=$(record_blocks)
echo "the image: $before blocks, the record $record_before of them"

say "$CONTAINERS containers, mounted all at once"
for i in $(seq $CONTAINERS); do
    tp create "$image" "box$i" >/dev/null
    tp mount "box$i" >/dev/null
done
sync
after=$(used_blocks) record_after=$(record_blocks)
[ "$(dmsetup ls | grep -c thinpull-)" -eq $((CONTAINERS + 2)) ] || fail "$(dmsetup ls)"
[ "$(grep -c '^/dev/mapper/' /proc/self/mounts)" -eq $CONTAINERS ]
[ "$(blkid -s UUID -o value /dev/mapper/"${record%-0}"-* | sort -u | wc -l)" -eq $CONTAINERS ] ||
    fail 'file systems of one UUID'
each=$(((after - before - (record_after - record_before) + CONTAINERS - 1) / CONTAINERS))
echo "$((after - before)) blocks more, $((record_after - record_before)) of the record; $each for each"
[ $each -le $MOST ] || fail "more than $MOST blocks"

say 'what one writes no other one sees'
first=$(tp mount box1)
echo one >"$first/etc/only-here"
sync
last=$(tp mount "box$CONTAINERS")
[ ! -e "$last/etc/only-here" ]
tree "$last" >"$WORK/kernel"
for i in $(seq $CONTAINERS); do tp umount "box$i"; done >/dev/null
[ "$(dmsetup ls | grep -c thinpull-)" -eq 2 ] || fail "left: $(dmsetup ls)"

say 'the same tree as by the file engine'
export THINPULL_ENGINE=file
ROOT=$WORK/file
tp pool create --size 2G >/dev/null
tp -q pull "$image" >/dev/null
tp create "$image" box >/dev/null
tree "$(tp mount box)" >"$WORK/file-tree"
tp umount box >/dev/null
python3 "$TOP/tests/support/tree.py" compare "$WORK/kernel" "$WORK/file-tree" kernel file
echo "$(wc -l <"$WORK/kernel") names, $SECONDS s"
