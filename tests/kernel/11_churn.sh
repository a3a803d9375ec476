#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Pools after random work of the file engine (snapshots, discards, deletes, metadata snapshots,
# growth) go to the kernel, which works on them in turn, and back, some times over: each side reads
# what the other one wrote, and the checks find nothing after any leg.
# weight: 20
. "$(dirname "$0")/lib.sh"

churn=$TOP/build/release/tests/tools/thin_churn
pool=$WORK/pool
size=$("$churn" "$pool" size)

check() {
    local device
    "$churn" "$pool" check || fail "strict check after $1"
    device=$(losetup -f --show -r "$pool/meta")
    thin_check -q "$device" || { thin_check "$device"; fail "thin_check after $1"; }
    losetup -d "$device"
}

kernel_list() { # ID...: as thin_churn list; a process is dear here, so few of them
    local table='' id
    for id; do
        table+="churn-$id,,,ro,0 $((size / 512)) thin /dev/mapper/churn $id;"
    done
    dmsetup create --concise "${table%;}"
    sha256sum "${@/#//dev/mapper/churn-}" | sed 's#\([0-9a-f]*\)  /dev/mapper/churn-\(.*\)#\2 \1#'
    dmsetup remove "${@/#/churn-}"
}

ids() {
    cut -d' ' -f1 "$WORK/list"
}

message() {
    dmsetup message churn 0 "$*"
}

# Writes of all sizes, discards, snapshots, a delete. Devices 100 and up are the kernel's.
kernel_work() {
    local id device leg=$1 next=$((100 * $1))
    for id in $(ids | shuf -n 4 --random-source=<(yes "$leg")); do
        device=$(thin_up churn "$id" "$size")
        dd if=/dev/urandom of="$device" bs=4k seek=$((id * 37 % 6000)) count=3 conv=notrunc status=none
        dd if=/dev/zero of="$device" bs=1M seek=$((id % 20)) count=3 conv=notrunc status=none
        blkdiscard -o $(((id * 7 % 200) * 65536)) -l $((40 * 65536)) "$device"
        dmsetup remove "churn-$id"
        message create_snap $((next++)) "$id"
    done
    message delete "$id"
}

mkdir "$pool"
for leg in 1 2 3; do
    "$churn" "$pool" run "$leg" 300
    check "the file engine, leg $leg"
    "$churn" "$pool" list >"$WORK/list"
    pool_up "$pool" churn
    kernel_list $(ids) | cmp - "$WORK/list" || fail "the kernel reads something else, leg $leg"
    kernel_work "$leg"
    dmsetup status churn | grep -q ' rw ' || fail "$(dmsetup status churn)"
    pool_down "$pool" churn
    check "the kernel, leg $leg"
    "$churn" "$pool" list >"$WORK/list"
    pool_up "$pool" churn
    kernel_list $(ids) | cmp - "$WORK/list" || fail "the file engine reads something else, leg $leg"
    pool_down "$pool" churn
    echo "leg $leg: $(wc -l <"$WORK/list") devices equal"
done
