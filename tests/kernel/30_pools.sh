#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A pool in files that the kernel runs: made, taken back and given again, restored after a reboot,
# completed where half of it is there, kept while something of it is in use, grown, destroyed; and
# every call on the way failing, or the last one of a killed command.
# THINPULL_EVERY=1: at every call that changes something; 2: at every second one...
# weight: 30
. "$(dirname "$0")/lib.sh"
FAULT_SO=$TOP/build/release/tests/tools/fault.so
layout=$WORK/layout
image=oci:$layout:tiny
files=$ROOT/pools/default
python3 "$TOP/tests/support/tiny_layout.py" "$layout" tiny 2 >"$WORK/out"

is_up() {
    nothing_left "$@"
    [ "$(left_behind '' | grep -c device:)" -ge 2 ] || fail 'the pool is not active'
}

# What a reboot does: devices go, files stay.
reboot() {
    local name
    for name in $(dmsetup ls | awk '/^thinpull-/ && !/-pool/ { print $1 }') \
        $(dmsetup ls | awk '/^thinpull-.*-pool/ { print $1 }'); do
        dmsetup remove "$name"
    done
    for name in $(losetup -n -O NAME -j "$files/meta") $(losetup -n -O NAME -j "$files/data"); do
        losetup -d "$name"
    done
    rm -rf "$THINPULL_RUN_DIR"
    all_gone
}

says() { # TEXT, in what the last command said
    grep -qF -- "$1" "$WORK/err" || { cat "$WORK/err"; fail "not said: $1"; }
}

say 'made for the kernel'
expect 3 tp --engine file pool create --loop
expect 0 tp pool create --loop --size 1G --base-size 64M
is_up
[ "$(tp --json pool status | jq -r '.engine, .mode' | tr '\n' ' ')" = 'kernel rw ' ] || fail status
expect 7 tp pool create --loop
expect 0 tp -q pull "$image"
expect 0 tp create "$image" box

say 'one engine at a time'
expect 7 tp --engine file ls
says 'the kernel engine has the pool'
says 'thinpull pool deactivate'
expect 0 tp pool deactivate
all_gone
expect 0 tp pool deactivate
expect 0 tp --engine file pool check
expect 0 tp --engine file create "$image" other
all_gone
expect 0 tp rm other
is_up

say 'after a reboot the first command that needs it has it back, or pool activate'
reboot
expect 0 tp ls
grep -q box "$WORK/out" || fail 'the container went'
expect 0 tp rename box crate
expect 0 tp rename crate box
is_up
reboot
expect 0 tp pool activate
is_up

say 'half of it is completed'
dmsetup remove "$(dmsetup ls | awk '/^thinpull-.*-0/ { print $1 }')"
expect 0 tp create "$image" other
dmsetup suspend "$(dmsetup ls | awk '/^thinpull-.*-pool/ { print $1 }')"
expect 0 tp rm other
is_up
reboot
losetup -f "$files/data"
expect 7 tp --engine file ls
expect 0 tp pool activate
is_up

say 'it is kept while something of it is in use'
expect 0 tp path box
exec 9<"$(cat "$WORK/out")"
expect 7 tp pool deactivate
says '/dev/mapper/thinpull-'
exec 9<&-
expect 0 tp mount box "$WORK/own"
expect 7 tp pool deactivate
echo there >"$WORK/own/file"
expect 7 tp pool destroy
says 'it has containers: box'
expect 0 tp umount box
expect 0 tp pool deactivate
all_gone

say 'it grows in use, and the file engine knows'
expect 0 tp mount box "$WORK/own"
expect 0 tp pool extend --size +1G
expect 0 tp pool extend --metadata-size 8M
[ "$(cat "$WORK/own/file")" = there ] || fail 'what was written went'
expect 3 tp pool extend --size 1G
[ "$(tp --json pool status | jq '.data.total_bytes, .metadata.total_bytes' | tr '\n' ' ')" \
    = "$((2 << 30)) $((8 << 20)) " ] || fail 'the size'
expect 0 tp umount box
expect 0 tp pool deactivate
expect 0 tp --engine file pool check
[ "$(tp --engine file --json pool status | jq .data.total_bytes)" = $((2 << 30)) ] || fail 'the size'

say 'destroyed with all that is in it, and nothing else'
expect 0 tp --pool two pool create --loop --size 256M --base-size 32M --no-zero --when-full queue
dmsetup table | grep 'thin-pool.* 1 skip_block_zeroing' >/dev/null || fail 'the table'
expect 0 tp mount box "$WORK/own"
expect 0 tp pool destroy --force
[ "$(tp --json images)" = '[]' ] || fail 'images are left'
expect 2 tp pool status
expect 0 tp --pool two pool status
expect 0 tp --pool two pool destroy
all_gone
[ -z "$(ls -A "$ROOT/pools")" ] || fail "left: $(ls -A "$ROOT/pools")"

# each WORDS...: every call of it fails, or is its last; then $check sees.
each() {
    local n total every=${THINPULL_EVERY:-0} how
    LD_PRELOAD=$FAULT_SO FAULT_COUNT=$WORK/count expect 0 tp "$@"
    read -r total <"$WORK/count"
    $check
    [ "$every" != 0 ] || every=$((total / 8 + 1))
    for how in eio kill; do
        for n in $(seq 1 "$every" "$total"); do
            when="$*, $how at call $n of $total"
            LD_PRELOAD=$FAULT_SO FAULT=$how FAULT_AT=$n expect 0,1,6,7,8,10,137 tp "$@"
            [ $how = kill ] || [ $code = 0 ] || $failed
            $check
        done
    done
    when=
}

create_again() { # what a killed maker left goes, then it can be made
    expect 0,2 tp pool destroy
    expect 2 tp pool status
    all_gone
}
say 'pool create --loop fails, or is killed, anywhere'
failed=all_gone check=create_again
each pool create --loop --size 256M --base-size 32M

say 'pool activate and deactivate, too'
expect 0 tp pool create --size 256M --base-size 32M
up_and_down() {
    expect 0 tp pool activate
    nothing_left
    expect 0 tp pool deactivate
    all_gone
}
failed=true check=up_and_down
each pool activate
down() {
    expect 0 tp pool deactivate
    all_gone
    expect 0 tp pool activate
}
expect 0 tp pool activate
check=down
each pool deactivate
expect 0 tp pool destroy
all_gone
