#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A thin device through the kernel engine's volume: the same bytes as a model after random work,
# snapshots and discards, with pools that zero and that do not; whole blocks are written without the
# kernel copying or zeroing anything, as the statistics of the data device tell.
# weight: 20
. "$(dirname "$0")/lib.sh"

tool=$TOP/build/release/tests/tools/volume_random
SIZE=$(((16 << 20) + 4096)) # the last block is not whole
ROUNDS=${THINPULL_ROUNDS:-2}

# make_pool NAME BLOCK_SECTORS [FEATURE...]: /dev/mapper/NAME; its data device is $data
make_pool() {
    local name=$1 block=$2 meta
    shift 2
    truncate -s 8M "$WORK/$name.meta"
    # what was in a pool before shows where something is neither zeroed nor written
    (set +o pipefail; yes garbage | head -c 48M >"$WORK/$name.data")
    truncate -s 256M "$WORK/$name.data"
    meta=$(losetup -f --show "$WORK/$name.meta")
    data=$(losetup -f --show "$WORK/$name.data")
    dmsetup create "$name" --table "0 $(blockdev --getsz "$data") thin-pool $meta $data $block 0 $# $*"
}

message() { # POOL TEXT
    dmsetup message "$1" 0 "$2"
}

# $moved: what the data device has read and written since the last time, as bytes.
old_reads=0 old_writes=0
moved() {
    local reads writes
    read -r _ _ reads _ _ _ writes _ <"/sys/block/$(basename "$data")/stat"
    moved="read $(((reads - old_reads) * 512)) written $(((writes - old_writes) * 512))"
    old_reads=$reads old_writes=$writes
}

random_work() { # POOL BLOCK_BYTES
    local pool=$1 block=$2 round id next=1 device
    message "$pool" 'create_thin 0'
    truncate -s $SIZE "$WORK/model-0"
    for ((round = 0; round < ROUNDS; round++)); do
        # the newest device and the first one, which share blocks
        for id in 0 $((next - 1)); do
            device=$(thin_up "$pool" "$id" $SIZE)
            "$tool" random "$device" "$WORK/model-$id" "$block" $((block + 7 * round + id)) 80
            dmsetup remove "$pool-$id"
        done
        message "$pool" "create_snap $next $((next - 1))"
        cp --sparse=always "$WORK/model-$((next - 1))" "$WORK/model-$next"
        next=$((next + 1))
    done
    for ((id = 0; id < next; id++)); do
        device=$(thin_up "$pool" "$id" $SIZE)
        [ "$id" -gt 0 ] || "$tool" same "$device" "$WORK/model-$id" "$block"
        cmp "$device" "$WORK/model-$id"
        dmsetup remove "$pool-$id"
    done
    rm "$WORK"/model-*
    echo "$pool: $next devices are equal, $SECONDS s"
}

say 'random work on a pool that zeroes, on one that does not, on one of large blocks'
make_pool zeroing 128
random_work zeroing 65536
make_pool raw 128 skip_block_zeroing
random_work raw 65536
make_pool large 1152 skip_block_zeroing # 576 KiB, no power of two
random_work large 589824

say 'whole blocks: nothing is zeroed, nothing copied'
make_pool whole 128 # zeroes what is not fully written
message whole 'create_thin 1'
device=$(thin_up whole 1 $SIZE)
moved
"$tool" fill "$device" $SIZE 65536 0 $((12 << 20)) | tee "$WORK/calls"
grep -q '^0 reads, 12 writes' "$WORK/calls" || fail 'calls'
moved
[ "$moved" = "read 0 written $((12 << 20))" ] || fail "new blocks: $moved"
dmsetup suspend whole-1
message whole 'create_snap 2 1'
dmsetup resume whole-1
moved
"$tool" fill "$device" $SIZE 65536 $((2 << 20)) $((8 << 20)) | tee "$WORK/calls"
grep -q '^0 reads, 8 writes' "$WORK/calls" || fail 'calls'
moved
[ "$moved" = "read 0 written $((8 << 20))" ] || fail "shared blocks: $moved"

say 'what is not whole costs its block: one read of 64 KiB, one write'
"$tool" fill "$device" $SIZE 65536 $((11 << 20)) 4096
moved
[ "$moved" = "read 65536 written 65536" ] || fail "a part of a shared block: $moved"

say 'reading maps nothing'
before=$(dmsetup status whole-1)
truncate -s $SIZE "$WORK/zeros"
dmsetup create whole-3 --table "0 $((SIZE / 512)) thin /dev/mapper/whole 2"
"$tool" same /dev/mapper/whole-3 "$WORK/zeros" 65536 2>/dev/null && fail 'device 2 is not empty'
[ "$(dmsetup status whole-1)" = "$before" ] || fail 'reading maps'

say 'only one may write'
exec 9<>"$device"
"$tool" fill "$device" $SIZE 65536 0 4096 >/dev/null || fail 'an ordinary reader is in the way'
exec 9>&-
dmsetup create holder --table "0 $((SIZE / 512)) linear $device 0"
"$tool" fill "$device" $SIZE 65536 0 4096 2>"$WORK/error" && fail 'written to although it is in use'
grep -q 'Device or resource busy' "$WORK/error" || fail "$(cat "$WORK/error")"
