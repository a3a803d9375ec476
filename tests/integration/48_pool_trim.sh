#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# pool trim on the file engine: what is free goes back to the host and nothing else; readers beside it;
# nothing from a damaged pool.
# weight: 4
. "$(dirname "$0")/../support/lib.sh"

layout=$WORK/layout
for n in 1 2; do python3 "$SUPPORT/tiny_layout.py" "$layout" "v$n" "$n" >/dev/null; done
v1=oci:$layout:v1 v2=oci:$layout:v2
data=$ROOT/pools/default/data

# left_over MIB...: bytes in blocks that nobody has there, as a kernel leaves them that did not discard
left_over() {
    local at
    for at; do
        dd if=/dev/urandom of="$data" bs=1M seek="$at" count=3 conv=notrunc status=none
    done
}

blocks() {
    stat -c %b "$data"
}

say 'a pool that is not there'
expect 2 tp pool trim
expect_error 'no pool default'

say 'what is free goes back'
expect 0 tp pool create --size 4G --base-size 64M
expect 0 tp pull "$v1" "$v2"
expect 0 tp create "$v2" box
raw box "$WORK/before.img"
clean=$(blocks)
left_over 500 1021 4093
[ "$(blocks)" -ge $((clean + 9 * 2048)) ] || fail 'nothing was left over'
expect 0 tp pool trim
grep -q '^default: 9.* MiB given back to the host, .* GiB are free in the pool$' "$WORK/out" ||
    { cat "$WORK/out"; fail 'what it prints'; }
[ "$(blocks)" -le "$clean" ] || fail "$(blocks) blocks, there were $clean"
[ "$(stat -c %s "$data")" = $((4 << 30)) ] || fail 'the length of the file'
json pool trim | expect_json '[.name, .freed_bytes] | tostring' '["default",0]'
raw box "$WORK/after.img"
cmp "$WORK/before.img" "$WORK/after.img" || fail 'the container is not what it was'
check_pool

say 'beside readers'
left_over 600 700
for i in 1 2 3 4; do
    tp export "$v1" -o "$WORK/reader.$i" >"$WORK/reader.log.$i" 2>&1 || echo failed >"$WORK/reader.log.$i" &
done
expect 0 tp pool trim
wait
! grep -l failed "$WORK"/reader.log.? || fail 'a reader failed'
for i in 2 3 4; do cmp "$WORK/reader.1" "$WORK/reader.$i" || fail 'readers differ'; done
[ "$(blocks)" -le "$clean" ] || fail 'not all of it'

say 'nothing from a damaged pool'
left_over 800
dirty=$(blocks)
for block in $(seq 1 30); do
    printf x | dd of="$ROOT/pools/default/meta" bs=1 seek=$((block * 4096 + 100)) conv=notrunc \
        status=none
done
expect 8 tp pool trim
expect_error damaged 'nothing is given back'
[ "$(blocks)" = "$dirty" ] || fail 'it gave something back'
finish
