# SPDX-License-Identifier: Apache-2.0
# For the scripts of tests/kernel, which source it first: they run as root in the lab kernel, whose
# device-mapper is real, see boot.sh. /mnt is memory, and gone afterwards.
# shellcheck shell=bash
set -euo pipefail

TOP=/run/src
PROGRAM=$TOP/build/thinpull
WORK=/mnt
ROOT=$WORK/root
export LANG=C.UTF-8 TZ=UTC PYTHONDONTWRITEBYTECODE=1 THINPULL_RUN_DIR=$WORK/run

fail() {
    echo "FAIL: $*" >&2
    exit 1
}

say() {
    echo "-- $*"
}

tp() {
    "$PROGRAM" --root "$ROOT" "$@"
}

# Put the files of a pool on loop devices and give them to the kernel as /dev/mapper/NAME.
# pool_up FOLDER NAME
pool_up() {
    local meta data block
    meta=$(losetup -f --show "$1/meta")
    data=$(losetup -f --show "$1/data")
    block=$(od -An -tu4 -j336 -N4 "$1/meta" | tr -d ' ') # sectors, from the superblock
    dmsetup create "$2" --table "0 $(blockdev --getsz "$data") thin-pool $meta $data $block 0 \
1 skip_block_zeroing"
}

# pool_down FOLDER NAME: the file engine may have it back.
pool_down() {
    local device
    dmsetup remove "$2"
    for device in $(losetup -n -O NAME -j "$1/meta") $(losetup -n -O NAME -j "$1/data"); do
        losetup -d "$device"
    done
}

# thin_up POOL ID BYTES: prints the device.
thin_up() {
    dmsetup create "$1-$2" --table "0 $(($3 / 512)) thin /dev/mapper/$1 $2"
    echo "/dev/mapper/$1-$2"
}

# check_pool [ID]: by us, where only this thin may be nobody's, and by thin_check, which wants O_DIRECT
# and so a device.
check_pool() {
    local device
    tp pool check >"$WORK/found" 2>/dev/null || true
    if grep -vE "^clean$|^unrecorded: thin ${1:--}:" "$WORK/found"; then fail 'pool check'; fi
    device=$(losetup -f --show -r "$ROOT/pools/default/meta")
    thin_check -q "$device" || { thin_check "$device"; fail 'thin_check'; }
    losetup -d "$device"
}

# start_registry LAYOUT:TAG...: a docker-registry that has these, as $REGISTRY/NAME:TAG with the last
# part of LAYOUT. It goes with the guest.
start_registry() {
    local i
    python3 "$TOP/tests/support/registry_store.py" "$WORK/registry" "$@"
    cat >"$WORK/registry.yml" <<YML
version: 0.1
log: {level: warn, accesslog: {disabled: true}}
storage: {filesystem: {rootdirectory: $WORK/registry}, maintenance: {readonly: {enabled: true}}}
http: {addr: "127.0.0.1:5000"}
YML
    docker-registry serve "$WORK/registry.yml" >"$WORK/registry.log" 2>&1 &
    registry_pid=$!
    for i in $(seq 100); do
        ! { : <>/dev/tcp/127.0.0.1/5000; } 2>/dev/null || break
        sleep 0.1
        [ "$i" -lt 100 ] || { cat "$WORK/registry.log"; fail 'the registry does not start'; }
    done
    REGISTRY=localhost:5000
}
