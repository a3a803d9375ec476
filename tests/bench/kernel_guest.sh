#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The part of kernel.sh in the guest. Prints "value NAME NUMBER" lines. Every run has a disk: in front
# the pool, behind it a file system for what the program keeps elsewhere. A pull ends with a sync, so
# that both end with all their data on disk; what a daemon does after it is waited for.
# shellcheck shell=bash
. /run/src/tests/kernel/lib.sh

SNAPSHOTS=20
DISK_SECTORS=$((20 << 21)) POOL_SECTORS=$((16 << 21)) METADATA_SECTORS=$((1 << 18))
values=$WORK/values

timed() { # name times command... [-- command that does nothing...]
    python3 "$TOP/tests/bench/kernel_time.py" "$values" "$registry_pid" "$@" >"$WORK/log" 2>&1 ||
        { cat "$WORK/log" "$WORK/containerd.log"; fail "$*"; }
}

disk_up() { # the next one
    local letter disk
    letter=$(printf "\\x$(printf %x $((97 + run)))")
    run=$((run + 1))
    for disk in "/dev/ubd$letter" "/dev/vd$letter"; do [ ! -b "$disk" ] || break; done
    dmsetup create bench-pool --table "0 $POOL_SECTORS linear $disk 0"
    dmsetup create bench-state --table \
        "0 $((DISK_SECTORS - POOL_SECTORS)) linear $disk $POOL_SECTORS"
    mkfs.ext4 -q -N 65536 -E lazy_itable_init=0,lazy_journal_init=0 /dev/mapper/bench-state
    mkdir -p "$WORK/state"
    mount /dev/mapper/bench-state "$WORK/state"
    sync
    echo 3 >/proc/sys/vm/drop_caches
}

disk_down() {
    umount "$WORK/state"
    dmsetup remove bench-state bench-pool
}

containerd_config() {
    cat <<TOML
version = 2
root = "$WORK/state/root"
state = "/run/containerd"
disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.snapshotter.v1.aufs",
    "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.native",
    "io.containerd.snapshotter.v1.overlayfs", "io.containerd.snapshotter.v1.zfs"]
[plugins."io.containerd.snapshotter.v1.devmapper"]
    root_path = "$WORK/state/devmapper"
    pool_name = "bench-thin"
    base_image_size = "8GB"
    discard_blocks = false
    async_remove = false
    fs_type = "ext4"
TOML
}

start_containerd() {
    local i
    dmsetup create bench-meta --table "0 $METADATA_SECTORS linear /dev/mapper/bench-pool 0"
    dmsetup create bench-data --table "0 $((POOL_SECTORS - METADATA_SECTORS)) linear \
/dev/mapper/bench-pool $METADATA_SECTORS"
    dmsetup create bench-thin --table "0 $((POOL_SECTORS - METADATA_SECTORS)) thin-pool \
/dev/mapper/bench-meta /dev/mapper/bench-data 128 0 1 skip_block_zeroing"
    containerd_config >"$WORK/containerd.toml"
    containerd --config "$WORK/containerd.toml" >"$WORK/containerd.log" 2>&1 &
    containerd_pid=$!
    for i in $(seq 100); do
        ! ctr version >/dev/null 2>&1 || return 0
        sleep 0.1
    done
    cat "$WORK/containerd.log"
    fail 'containerd does not start'
}

stop_containerd() {
    kill "$containerd_pid"
    wait "$containerd_pid" || true
    dmsetup ls | awk '$1 ~ /^bench-thin-snap/ { print $1 }' | xargs -r dmsetup remove
    dmsetup remove bench-thin bench-data bench-meta
}

# ChainID of the only image: the committed snapshot that is nobody's parent.
top_snapshot() {
    ctr snapshots ls | awk 'NR > 1 { key[$1] } NF == 3 { parent[$2] }
        END { for (k in key) if (!(k in parent)) print k }'
}

# "{}" is the number of the time. The devices have their numbers in the order they were made.
containerd_run() {
    local image=127.0.0.1:5000/bench:bench chain last
    start_containerd
    timed containerd_pull 1 sh -c "ctr images pull --plain-http $image && sync"
    sleep 2
    chain=$(top_snapshot)
    timed containerd_nothing $SNAPSHOTS ctr version
    timed containerd_create $SNAPSHOTS ctr snapshots prepare 'rw{}' "$chain" -- ctr version
    last=$(dmsetup ls | sed -n 's/^bench-thin-snap-\([0-9]*\)\t.*/\1/p' | sort -n | tail -n 1)
    for i in $(seq $SNAPSHOTS); do
        ln -s "/dev/mapper/bench-thin-snap-$((last - SNAPSHOTS + i))" "$WORK/device$i"
        mkdir "$WORK/rw$i"
    done
    timed containerd_mount $SNAPSHOTS mount -t ext4 "$WORK/device{}" "$WORK/rw{}" -- mount --version
    check_boxes
    dmsetup status bench-thin | sed 's/.* [0-9]*\/[0-9]* \([0-9]*\)\/.*/value containerd_blocks \1/'
    umount "$WORK"/rw*
    rm "$WORK"/device*
    stop_containerd
}

# Each of them is a file system of its own that can be written.
check_boxes() {
    local i
    for i in $(seq $SNAPSHOTS); do
        mountpoint -q "$WORK/rw$i"
        echo "$i" >"$WORK/rw$i/mine"
    done
    for i in $(seq $SNAPSHOTS); do
        [ "$(cat "$WORK/rw$i/mine")" = "$i" ]
        rm "$WORK/rw$i/mine"
    done
}

thinpull_run() { # name option of pool create...
    local i name=$1 image=$REGISTRY/bench:bench ROOT=$WORK/state/root
    local program=("$PROGRAM" --root "$ROOT" --engine kernel -q)
    shift
    tp --engine kernel pool create --device /dev/mapper/bench-pool --block-size 64k "$@" >/dev/null
    timed "${name}_pull" 1 sh -c "${program[*]} pull $image && sync"
    sleep 2
    timed "${name}_nothing" $SNAPSHOTS "${program[@]}" version
    for i in $(seq $SNAPSHOTS); do mkdir "$WORK/rw$i"; done
    timed "${name}_snapshot" $SNAPSHOTS "${program[@]}" create --mount "$WORK/rw{}" "$image" \
        'box{}' -- "${program[@]}" version
    check_boxes
    tp --json pool status | jq -r '"value '"$name"'_blocks \(.data.used_bytes / .block_bytes)"'
    for i in $(seq $SNAPSHOTS); do tp umount "box$i" >/dev/null; done
    timed "${name}_create" $SNAPSHOTS "${program[@]}" create "$image" 'step{}' \
        -- "${program[@]}" version
    timed "${name}_mount" $SNAPSHOTS "${program[@]}" mount 'step{}' "$WORK/rw{}" \
        -- "${program[@]}" version
    for i in $(seq $SNAPSHOTS); do tp umount "step$i" >/dev/null; done
    tp pool deactivate >/dev/null
}

start_registry "$TOP/build/images/bench:bench"
export CONTAINERD_SNAPSHOTTER=devmapper
run=0
for _ in $(seq "$BENCH_RUNS"); do
    for who in containerd 'thinpull thinpull' 'thinpull thinpull_no_zero --no-zero'; do
        disk_up
        # shellcheck disable=SC2086
        set -- $who
        "${1}_run" "${@:2}"
        rmdir "$WORK"/rw*
        disk_down
    done
done
sed 's/^/value /' "$values"
