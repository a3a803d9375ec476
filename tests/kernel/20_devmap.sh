#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Devices of ours beside those of others: names and UUIDs that are taken stay whose they are; a kill
# at any point leaves nothing that the next command cannot take away; several at once are in nobody's
# way; the ioctls that are counted are those that are made.
# weight: 10
. "$(dirname "$0")/lib.sh"

try=$TOP/build/release/tests/tools/devmap_try

say 'a device of somebody else that is called like ours'
dmsetup create thinpull-0123-1 --uuid FOREIGN-1 --table '0 16 error'
dmsetup create foreign --uuid THINPULL-0123-2 --table '0 24 error'
before=$(dmsetup table)
"$try" create thinpull-0123-1 THINPULL-0123-1 2>"$WORK/error" && fail 'made over another one'
grep -q '^devmap_try: busy: .*thinpull-0123-1: Device or resource busy$' "$WORK/error" \
    || fail "$(cat "$WORK/error")"
"$try" create other THINPULL-0123-2 2>"$WORK/error" && fail 'made with a UUID that is taken'
"$try" remove THINPULL-0123-1 >/dev/null
[ "$(dmsetup table)" = "$before" ] || fail "$(dmsetup table)"
[ -b /dev/mapper/thinpull-0123-1 ] || fail 'the node of another one was taken away'
dmsetup remove thinpull-0123-1 foreign

say 'killed at any point'
for ((i = 0; i < 25; i++)); do
    "$try" cycle a THINPULL-a 100000 &
    sleep "0.0$((10 + 7 * i % 60))"
    kill -KILL $!
    wait $! 2>/dev/null || true
    left=$(dmsetup info -c --noheadings -o name,attr 2>/dev/null) && echo "$left"
    "$try" remove THINPULL-a >/dev/null
    [ "$(dmsetup ls)" = 'No devices found' ] || fail "left: $(dmsetup ls)"
done | sort | uniq -c

say 'four at once'
for name in a b c d; do
    "$try" cycle $name THINPULL-$name 30 >"$WORK/$name" &
done
wait
cat "$WORK"/[abcd]
[ "$(grep -c '^cycle: 121 ioctls' "$WORK"/[abcd] | grep -c ':1$')" -eq 4 ] || fail 'not all of them'
[ "$(ls /dev/mapper)" = control ] || fail "left: $(ls /dev/mapper)"

say 'ioctls as strace counts them'
strace -e trace=ioctl -o "$WORK/trace" "$try" cycle a THINPULL-a 10 | tee "$WORK/told"
grep -q "^cycle: $(grep -c '^ioctl(.*DM_' "$WORK/trace") ioctls" "$WORK/told" || fail "$(cat "$WORK/trace")"
