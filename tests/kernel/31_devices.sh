#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A pool on block devices of its own, one or two: refused where somebody has something, restored after a
# reboot, never written to where another disk has its name now, grown with its device, blank at its end;
# and its making failing or killed on the way.
# THINPULL_EVERY=1: at every call that changes something; 2: at every second one...
# weight: 30
. "$(dirname "$0")/lib.sh"
FAULT_SO=$TOP/build/release/tests/tools/fault.so
layout=$WORK/layout
image=oci:$layout:tiny
place=$ROOT/pools/default/place.json
small=(--base-size 64M)
mkdir "$WORK/disks" "$WORK/own"
python3 "$TOP/tests/support/tiny_layout.py" "$layout" tiny 2 >"$WORK/out"

disk() { # NAME SIZE
    truncate -s "$2" "$WORK/disks/$1"
    losetup -f --show "$WORK/disks/$1"
}

says() { # TEXT, in what the last command said
    grep -qF -- "$1" "$WORK/err" || { cat "$WORK/err"; fail "not said: $1"; }
}

# What a reboot does to devices of ours.
reboot() {
    local name
    for name in $(dmsetup ls | awk '/^thinpull-.*-[0-9]+\t/ { print $1 }') \
        $(dmsetup ls | awk '/-pool\t/ { print $1 }') $(dmsetup ls | awk '/-(meta|data)\t/ { print $1 }'); do
        dmsetup remove "$name"
    done
    rm -rf "$THINPULL_RUN_DIR"
    all_gone
}

is_blank() { # DEVICE...: neither a signature, nor a label of ours, nor a superblock
    local device
    for device; do
        [ -z "$(blkid -p "$device")" ] || fail "left on $device: $(blkid -p "$device")"
        cmp -s -n 4096 "$device" /dev/zero || fail "a label is left on $device"
        [ "$(od -An -tu8 -j$(((1 << 20) + 32)) -N8 "$device" | tr -d ' ')" != 27022010 ] ||
            fail "a superblock is left on $device"
    done
}

one=$(disk one 600M) two=$(disk two 64M)

say 'refused: what is none, too small, in use, or holds something'
refuse() { # CODE TEXT OPTIONS...
    expect "$1" tp pool create "${small[@]}" "${@:3}"
    says "$2"
    [ ! -e "$ROOT/pools/default" ] || fail 'a pool was made'
    all_gone
}
refuse 2 "$WORK/nothing" --device "$WORK/nothing"
refuse 3 'no block device' --device "$layout/index.json"
refuse 3 'the same device' --device "$one" --metadata-device "$one"
refuse 3 'device' --device "$one" --loop
refuse 6 'MiB' --device "$one" --size 1G
blockdev --setro "$two"
refuse 10 'can only be read' --device "$two"
blockdev --setrw "$two"
mkfs.ext4 -q "$one"
refuse 7 'ext4' --device "$one"
says --force
mount "$one" "$WORK/own"
refuse 7 "$one" --device "$one" --force
umount "$WORK/own"
mkswap -q "$two" 2>/dev/null
refuse 7 'swap' --device "$two"
wipefs -qa "$two"
[ "$(blkid -p -o value -s TYPE "$one")" = ext4 ] || fail 'what was refused was changed'

say 'one device: made over what was there, and back after a reboot'
expect 0 tp pool create "${small[@]}" --device "$one" --force --no-zero --when-full queue
[ "$(tp --json pool status | jq -r '.kind, .engine, .mode' | xargs)" = 'device kernel rw' ] || fail status
dmsetup table | grep 'thin-pool.* 1 skip_block_zeroing' >/dev/null || fail 'the table'
expect 7 tp --pool other pool create --device "$one" --force
says "$one"
expect 0 tp -q pull "$image"
expect 0 tp create "$image" box
expect 0 tp mount box "$WORK/own"
echo there >"$WORK/own/file"
expect 0 tp umount box
reboot
expect 7 tp --pool other pool create --device "$one"
says 'belongs to the pool default'
expect 10 tp --engine file ls
expect 0 tp mount box "$WORK/own"
[ "$(cat "$WORK/own/file")" = there ] || fail 'what was written went'
nothing_left "$(tp --json inspect box | jq .thin_id)"

say 'it grows with its device, in use'
before=$(tp --json pool status | jq .data.total_bytes)
expect 6 tp pool extend --size +1G
truncate -s 700M "$WORK/disks/one"
losetup -c "$one"
expect 0 tp pool extend
[ "$(tp --json pool status | jq .data.total_bytes)" = $((before + (100 << 20))) ] || fail 'the size'
[ "$(cat "$WORK/own/file")" = there ] || fail 'what was written went'
expect 10 tp pool extend --metadata-size +1M
says 'device of its own'
expect 0 tp umount box
pool_clean

say 'another disk under its name is not touched'
losetup -d "$one"
other=$(disk other 700M)
[ "$other" = "$one" ] || fail "$other got the place of $one"
expect 2 tp ls
says 'another device'
says 'attach the disk'
expect 2 tp rm --force box
expect 2 tp rmi "$image"
says 'attach the disk'
all_gone
is_blank "$other"
losetup -d "$other"
expect 2 tp ls
[ "$(losetup -f --show "$WORK/disks/one")" = "$one" ] || fail "$one is taken"
expect 0 tp ls
grep -q box "$WORK/out" || fail 'the container went'

say 'destroyed: blank'
expect 7 tp pool destroy
expect 0 tp pool destroy --force
all_gone
is_blank "$one"

say 'two devices, each grows by itself'
expect 0 tp pool create "${small[@]}" --device "$one" --metadata-device "$two"
[ "$(jq -r '.data_device, .metadata_device' "$place" | xargs)" = "$one $two" ] || fail "$(cat "$place")"
expect 0 tp -q pull "$image"
truncate -s 80M "$WORK/disks/two"
losetup -c "$two"
expect 0 tp pool extend
[ "$(tp --json pool status | jq '.metadata.total_bytes >= 78 * 1048576')" = true ] || fail 'the metadata'
pool_clean
expect 0 tp pool destroy
is_blank "$one" "$two"

say 'its making fails, or is killed, anywhere: blank again'
make=(pool create "${small[@]}" --device "$one" --metadata-device "$two")
LD_PRELOAD=$FAULT_SO FAULT_COUNT=$WORK/count expect 0 tp "${make[@]}"
read -r total <"$WORK/count"
expect 0 tp pool destroy
every=${THINPULL_EVERY:-$((total / 5 + 1))}
for how in eio kill; do
    for n in $(seq 2 "$every" "$total"); do
        when="$how at call $n of $total"
        LD_PRELOAD=$FAULT_SO FAULT=$how FAULT_AT=$n expect 0,1,6,7,8,10,137 tp "${make[@]}"
        expect 0,2 tp pool destroy
        all_gone
        is_blank "$one" "$two"
    done
done
echo "$total calls"
