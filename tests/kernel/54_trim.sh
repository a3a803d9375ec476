#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# pool trim below a pool in use, in files and on a device: what removed images held is the host's
# again, a container that is written all the while loses nothing, and a kill at any moment leaves a
# pool that the next command resumes.
# weight: 25
. "$(dirname "$0")/lib.sh"

RANDOM=${THINPULL_SEED:-54}
KILLS=${THINPULL_ROUNDS:-4}
image=oci:$TOP/build/images/debian:debian-1
layout=$WORK/layout
python3 "$TOP/tests/support/tiny_layout.py" "$layout" v1 1 >/dev/null
tiny=oci:$layout:v1

# taken FILE: MiB of the host
taken() {
    echo $(($(stat -c %b "$1") >> 11))
}

# write_on_and_on: new files in the container for as long as $WORK/go is there, and what their sums are
write_on_and_on() {
    local i
    for ((i = 0; i < 2000; i++)); do
        [ -e "$WORK/go" ] || break
        dd if=/dev/urandom of="$WORK/box/$i" bs=64k count=4 conv=fsync status=none || break
        [ $i != 1 ] || touch "$WORK/begun"
        [ $((i % 3)) -gt 0 ] || rm -f "$WORK/box/$((i / 2))"
    done
    (cd "$WORK/box" && sha256sum [0-9]*) >"$WORK/sums"
}

# look_after: the container is written, beside whatever follows, until all_there
look_after() {
    mkdir -p "$WORK/box"
    mount -o noatime "$(tp path box)" "$WORK/box"
    rm -f "$WORK/begun"
    touch "$WORK/go"
    write_on_and_on &
    writer=$!
    for _ in $(seq 200); do
        [ ! -e "$WORK/begun" ] || return 0
        sleep 0.05
    done
    fail 'nothing is written'
}

# What was written is there when nothing of it is in memory any more.
all_there() {
    rm "$WORK/go"
    wait $writer
    umount "$WORK/box"
    [ -s "$WORK/sums" ] || fail "nothing was written"
    mount -o ro "$(tp path box)" "$WORK/box"
    (cd "$WORK/box" && sha256sum --quiet -c "$WORK/sums") || fail 'the container lost data'
    umount "$WORK/box"
    tp umount box >/dev/null
}

# try FILE: what is free already goes, while a container lives on
try() {
    local before
    tp create "$tiny" box >/dev/null
    before=$(taken "$1")
    look_after
    tp pool trim >"$WORK/out"
    tp pool trim >/dev/null
    all_there
    [ "$(taken "$1")" -lt $((before / 2)) ] || fail "$before MiB before, $(taken "$1") afterwards"
}

say 'in files'
tp pool create --loop --size 3G --base-size 512M >/dev/null
tp -q pull "$image" "$tiny" >/dev/null
tp rmi "$image" >/dev/null
try "$ROOT/pools/default/data"
grep -q '^default: [1-9].* MiB given back to the host' "$WORK/out" || { cat "$WORK/out"; fail said; }

say "killed at $KILLS moments"
look_after
for _ in $(seq "$KILLS"); do
    "$PROGRAM" --root "$ROOT" pool trim >/dev/null 2>&1 &
    trim=$!
    sleep "0.$((RANDOM % 4))$((RANDOM % 10))"
    kill -KILL $trim 2>/dev/null || true
    wait $trim 2>/dev/null || true
    expect 0 tp images
done
all_there
nothing_left box
pool_clean
tp --engine file pool trim >"$WORK/out"
tp pool activate >/dev/null

say 'on a device'
ROOT=$WORK/root2
pool_create device --base-size 128M
tp -q pull "$tiny" >/dev/null
tp create "$tiny" gone >/dev/null
dd if=/dev/urandom of="$(tp path gone)" bs=1M count=64 conv=fsync status=none
tp rm -f gone >/dev/null
try "$WORK/disks/device"
grep -q 'discarded on its device' "$WORK/out" || { cat "$WORK/out"; fail said; }
tp --json pool trim | jq -e '.name == "default" and .freed_bytes == null' >/dev/null ||
    fail 'as JSON'
expect 0 tp pool check
