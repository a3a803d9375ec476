#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A pool that the file engine filled is run by the kernel alone, by tables and messages of this script,
# and back, twice: every volume has the same bytes on both sides, each goes on from what the other
# wrote, also while a metadata snapshot is held and with a thin device that is not in the record, and
# both checks find nothing. What our own kernel engine makes of such pools is in 61_both_engines.sh.
# weight: 15
. "$(dirname "$0")/lib.sh"
export THINPULL_ENGINE=file

BASE=$((256 << 20))
images=oci:$TOP/build/images/debian
pool=$ROOT/pools/default

volumes() { # "thin id, name" of what can be exported by name; id of an image is its last layer's
    tp --json ls | jq -r '.[] | "\(.thin_id) \(.name)"'
    tp --json images | jq -r '.[].ref' | while read -r ref; do
        tp --json image inspect "$ref" | jq -r '"\(.layers[-1].thin_id) \(.ref)"'
    done
}

remember() { # what the file engine reads
    local id name
    volumes >"$WORK/volumes"
    while read -r id name; do
        tp -q export --format raw -o "$WORK/raw" "$name" >/dev/null
        b2sum <"$WORK/raw" >"$WORK/sum.$id"
    done <"$WORK/volumes"
    rm "$WORK/raw"
}

compare() { # what the kernel reads
    local id name
    while read -r id name; do
        thin_up pool "$id" $BASE >/dev/null
        b2sum <"/dev/mapper/pool-$id" | cmp - "$WORK/sum.$id" || fail "thin $id, $name"
        dmsetup remove "pool-$id"
    done <"$WORK/volumes"
    echo "equal: $(wc -l <"$WORK/volumes") volumes"
}

message() {
    dmsetup message pool 0 "$*"
}

say 'the file engine: two images on each other, a container'
tp pool create --size 2G --base-size $BASE >/dev/null
for tag in debian-2 debian; do
    tp -q pull "$images:$tag" >/dev/null
done
tp create "$images:debian" box >/dev/null
check_pool
remember
box=$(tp --json inspect box | jq -r .thin_id)

say 'the kernel: reads them all, writes to one, discards, snapshots'
pool_up "$pool" pool
compare
device=$(thin_up pool "$box" $BASE)
mkdir "$WORK/box"
mount -o noatime "$device" "$WORK/box"
seq 200000 >"$WORK/box/numbers"
rm -r "$WORK/box/usr/share"
fstrim "$WORK/box"
umount "$WORK/box"
dmsetup remove "pool-$box"
message create_snap 1000 "$box"
message reserve_metadata_snap
device=$(thin_up pool 1000 $BASE)
mount -o noatime "$device" "$WORK/box"
rm -r "$WORK/box/usr/lib"
umount "$WORK/box"
dmsetup remove pool-1000
pool_down "$pool" pool
check_pool 1000

say 'the file engine: goes on, with the metadata snapshot that the kernel holds'
tp -q export --format raw -o "$WORK/raw" box >/dev/null
e2fsck -fn "$WORK/raw" >"$WORK/e2fsck" 2>&1 || fail 'e2fsck of what the kernel wrote'
mount -o loop,ro "$WORK/raw" "$WORK/box"
seq 200000 | cmp - "$WORK/box/numbers"
[ -d "$WORK/box/usr/lib" ] && [ ! -e "$WORK/box/usr/share" ] || fail 'not what the kernel wrote'
umount "$WORK/box"
tp rmi "$images:debian-2" >/dev/null
tp create "$images:debian" more >/dev/null
check_pool 1000
remember

say 'the kernel again: lets go of both snapshots'
pool_up "$pool" pool
compare
message release_metadata_snap
message delete 1000
pool_down "$pool" pool
check_pool
[ "$(od -An -tu8 -j56 -N8 "$pool/meta" | tr -d ' ')" -eq 0 ] || fail 'a metadata snapshot is still there'
