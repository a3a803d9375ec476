#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# kill -9 at the calls that change files, mounts and devices in path, mount, umount and rm of a
# container: the next command mends, no file, mount or device is left that nobody knows, nothing
# that was written is lost, and what was asked for then works.
# weight: 60
# Mounts of its own, so that namespaces which others make meanwhile have no copies of them.
[ "$(id -u)" != 0 ] || [ -n "${ALONE:-}" ] ||
    ALONE=1 exec unshare --mount --propagation private bash "$0" "$@"
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/faults.sh"

image=oci:$IMAGES/tools:umoci
mkdir "$THINPULL_RUN_DIR" # so that each time the calls are as many

fresh() {
    rm -rf --one-file-system "$ROOT"
    cp -a --sparse=always "$start" "$ROOT"
}

state() {
    json ls | jq -r '.[0].state // "gone"'
}

devices() {
    cat /sys/block/loop*/loop/backing_file 2>/dev/null | grep -c "^$ROOT/" || true
}

mounts() {
    grep -c " $WORK/" /proc/self/mounts || true
}

files() {
    find "$ROOT" -path '*/containers/*' -type f ! -name lock | wc -l
}

# After the command that mends: what is there is what the state says. Sets now.
check_state() { # n
    local want
    now=$(state)
    case $now in
    gone | ready) want='0 0 0' ;;
    checked_out) want='1 0 0' ;;
    attached) want='1 1 0' ;;
    mounted) want='1 1 1' ;;
    *) fail "killed at call $1: it is $now" ;;
    esac
    [ "$(files) $(devices) $(mounts)" = "$want" ] ||
        fail "killed at call $1: it is $now with $(files) files, $(devices) devices, $(mounts) mounts"
    if [ "$now" != mounted ] && [ -d "$THINPULL_RUN_DIR" ] && [ -n "$(ls "$THINPULL_RUN_DIR")" ]; then
        fail "killed at call $1: a mount point is left"
    fi
}

# The next command mends; which one it is must not matter.
mend() { # n
    case $(($1 % 3)) in
    0) expect 0 tp images ;;
    1) expect 0 tp info ;;
    2) expect 0 tp pool status ;;
    esac
    check_pool
    check_state "$1"
}

# try_all COUNT VERB WORDS...: kill at up to so many of its calls; then_"$1" is run after each.
try_all() {
    local count=$1 total n
    shift
    fresh
    before
    total=$(calls "$PROGRAM" --root "$ROOT" "$@")
    after
    [ "$total" -gt 3 ] || fail "$1: the calls are not seen"
    for n in $(points "$total" "$count"); do
        fresh
        before
        expect 137 fault kill "$n" "$PROGRAM" --root "$ROOT" "$@"
        mend "$n"
        again
        after
    done
    say "$*: killed at up to $count of $total calls"
}

before() { :; }

# What is left of an iteration goes, and then there is nothing.
after() {
    expect 0 tp rm -f box
    mend 0
    [ "$now" = gone ] || fail 'it is still there'
}

expect_content() {
    raw box "$WORK/got.ext4"
    [ "$(content "$WORK/got.ext4")" = "$want" ] || fail 'other bytes'
}

ROOT=$start
expect 0 tp pool create --base-size 1G
expect 0 tp -q pull "$image"
expect 0 tp create "$image" box
raw box "$WORK/want.ext4"
want=$(content "$WORK/want.ext4")
ROOT=$WORK/root

if [ "$(id -u)" != 0 ]; then
    again() {
        expect_content
        expect 0 tp path box
        [ -f "$(cat "$WORK/out")" ]
        expect_content
    }
    try_all 30 path box

    ROOT=$start
    expect 0 tp path box
    ROOT=$WORK/root
    again() { expect 0,2 tp rm box; }
    try_all 24 rm box
    finish
fi

[ -b "$(losetup -f 2>/dev/null)" ] || skip 'no loop devices here'
again() {
    [ "$now" = mounted ] || expect_content
    expect 0 tp mount box
    echo written >"$(cat "$WORK/out")/file"
    expect 0 tp umount box
    raw box "$WORK/got.ext4"
    [ "$(debugfs -R 'cat /file' "$WORK/got.ext4" 2>/dev/null)" = written ] || fail 'a write is lost'
}
try_all 32 mount box
try_all 12 path box

before() {
    expect 0 tp mount box
    echo written >"$(cat "$WORK/out")/file"
}
again() {
    expect 0 tp umount box
    raw box "$WORK/got.ext4"
    [ "$(debugfs -R 'cat /file' "$WORK/got.ext4" 2>/dev/null)" = written ] || fail 'a write is lost'
    check_state umount
    [ "$now" = checked_out ] || fail "it is $now"
}
try_all 20 umount box

again() { expect 0,2 tp rm -f box; }
after() {
    expect 0 tp rm -f box
    mend 0
}
try_all 19 rm -f box
finish
