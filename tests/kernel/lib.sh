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

# expect CODES COMMAND...: its exit status must be this, or one of CODE,CODE; it is in $code, and what
# it said in $WORK/out and $WORK/err afterwards.
expect() {
    local want=$1
    shift
    code=0
    "$@" >"$WORK/out" 2>"$WORK/err" </dev/null || code=$?
    case ",$want," in
    *",$code,"*) ;;
    *)
        sed 's/^/  stdout: /' "$WORK/out" | head -n 20
        sed 's/^/  stderr: /' "$WORK/err" | head -n 40
        fail "exit $code, expected $want: $*${when:+ (after $when)}" ;;
    esac
}

# pool_create KIND OPTIONS...: one that the kernel runs, from the files loop.data and so on of
# $WORK/disks or on them, which are memory.
pool_create() {
    local kind=$1 disk=$WORK/disks/$1
    shift
    mkdir -p "$WORK/disks"
    case $kind in
    loop) tp --engine kernel pool create --size 2G "$@" >/dev/null ;;
    device | lvm)
        truncate -s 3G "$disk"
        tp --engine kernel pool create --$kind "$(losetup -f --show "$disk")" "$@" >/dev/null ;;
    esac
}

# left_behind DEVICES [LOOPS]: of ours, in words: devices other than these and suspended ones, loop
# devices but on disks and on such files, mounts but on $WORK/own*, files under a name of their making.
# No program is run: those are dear.
left_behind() {
    local path word
    for path in /sys/block/dm-*/dm; do
        read -r word 2>/dev/null <"$path/uuid" || continue
        case $word in THINPULL-*) ;; *) continue ;; esac
        [[ " $1 " == *" ${word##*-} "* ]] || echo "device:${word##*-}"
        read -r word <"$path/suspended"
        [ "$word" = 0 ] || echo "suspended:$(<"$path/name")"
    done
    for path in /sys/block/loop*/loop/backing_file; do
        read -r word 2>/dev/null <"$path" || continue
        [[ $word == "$WORK"/disks/* || ( -n ${2:-} && $word =~ $2 ) ]] || echo "loop:$word"
    done
    while read -r _ _ _ _ word _; do
        [[ $word != "$WORK"/* || $word == "$WORK"/own* ]] || echo "mount:$word"
    done </proc/self/mountinfo
    shopt -s globstar nullglob dotglob
    for path in "$ROOT"/**/*.tmp* "$ROOT"/pools/.new* "$ROOT"/spool/*; do
        [[ $path == *.part ]] || echo "file:$path"
    done
    shopt -u globstar nullglob dotglob
}

# nothing_left [ID...]: of a pool that is active there are the pool, what it stands on, the record and
# these thin devices.
nothing_left() {
    local left
    left=$(left_behind "pool meta data 0 $*" '/pools/[^./]+/(meta|data)$')
    [ -z "$left" ] || fail "left behind: $left"
}

# And when it is not active, or gone.
all_gone() {
    local left
    left=$(left_behind '')
    [ -z "$left" ] || fail "left behind: $left"
}

# layer_up ID BYTES: any thin device of the active pool, to read, without the program; prints it.
layer_up() {
    local path
    for path in /sys/block/dm-*; do
        [[ $(<"$path/dm/uuid") == THINPULL-*-0 ]] || continue
        read -r path <"$(echo "$path"/slaves/dm-*/dev)"
        dmsetup create "read-$1" --readonly --table "0 $(($2 / 512)) thin $path $1"
        echo "/dev/mapper/read-$1"
    done
}

# pool_clean: our strict check while the kernel has the pool; then thin_check, which wants a device,
# with the pool let go. The next command activates it again.
pool_clean() {
    local place=$ROOT/pools/default/place.json device volume start=0 bytes=0
    expect 0 tp pool check
    nothing_left
    expect 0 tp pool deactivate
    all_gone
    case $(jq -r .kind "$place" 2>/dev/null) in
    lvm)
        volume=$(jq -r '"\(.vg)/\(.lv)_tmeta"' "$place")
        lvchange -qq -y -ay "$volume"
        thin_check "/dev/$volume" >"$WORK/out" 2>&1 || { cat "$WORK/out"; fail 'thin_check'; }
        lvchange -qq -y -an "$volume"
        return ;;
    device)
        device=$(jq -r '.metadata_device // .data_device' "$place")
        start=$(jq .metadata_start "$place") bytes=$(jq .metadata_bytes "$place") ;;
    *) device=$ROOT/pools/default/meta ;;
    esac
    device=$(losetup -f --show -r -o "$start" --sizelimit "$bytes" "$device")
    thin_check "$device" >"$WORK/out" 2>&1 || { cat "$WORK/out"; fail 'thin_check'; }
    losetup -d "$device"
}

# used: blocks that the pool says are used, without the program jq.
used() {
    local text
    text=$(tp --json pool status)
    [[ $text =~ \"used_bytes\":\ ([0-9]+) ]] || fail "pool status: $text"
    echo $((BASH_REMATCH[1] / 65536))
}
