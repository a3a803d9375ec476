#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# pool extend: new totals, what is added, what is refused; with others reading meanwhile, a container
# checked out, a full pool, and cut at any call that changes a file.
# weight: 6
. "$(dirname "$0")/../support/lib.sh"
. "$SUPPORT/faults.sh"

POINTS=${POINTS:-8}
layout=$WORK/layout
for n in 1 2; do python3 "$SUPPORT/tiny_layout.py" "$layout" "v$n" "$n" >/dev/null; done
v1=oci:$layout:v1
MIB=1048576

# sizes DATA METADATA: in MiB, by the pool and by its files
sizes() {
    json pool status | expect_json '[.data.total_bytes, .metadata.total_bytes] | tostring' \
        "[$(($1 * MIB)),$(($2 * MIB))]"
    [ "$(stat -c %s "$ROOT/pools/default/data")" = $(($1 * MIB)) ] || fail 'length of data'
    [ "$(stat -c %s "$ROOT/pools/default/meta")" = $(($2 * MIB)) ] || fail 'length of meta'
    check_pool
}

say 'totals, and what is added'
expect 0 tp pool create --size 512M --base-size 64M
expect 0 tp pull "$v1"
expect 0 tp create "$v1" box
raw box "$WORK/before.img"
sizes 512 2
expect 0 tp pool extend --size 1G
[ "$(cat "$WORK/out")" = default ] || fail 'it does not print the name'
sizes 1024 2
expect 0 tp pool extend --size +512M --metadata-size +1M
sizes 1536 3
expect 0 tp pool extend --metadata-size 130M # over two borders of bitmaps
sizes 1536 130
expect 0 tp pool extend --size 200G # over twelve; the metadata is enough for less
sizes 204800 150
expect 0 tp pool extend --size 200G
sizes 204800 150

say 'what is refused changes nothing'
expect 3 tp pool extend --size 1G
expect_error 'has 214748364800 bytes of data' 'shrink to 1073741824'
expect 3 tp pool extend --size 300G --metadata-size 16G
expect_error 'at most 17045913600'
expect 3 tp pool extend --size +16E
expect 2 tp --pool none pool extend --size 1G
expect_error 'pool create'
sizes 204800 150

say 'others read meanwhile, and a container is outside'
if [ "$(id -u)" != 0 ] || [ -e /dev/loop-control ]; then expect 0 tp path box; fi
for i in 1 2 3 4 5 6 7 8; do
    tp images >"$WORK/reader.$i" 2>&1 && tp export "$v1" -o "$WORK/reader.img.$i" \
        >>"$WORK/reader.$i" 2>&1 || echo failed >>"$WORK/reader.$i" &
done
for i in 1 2 3 4 5 6; do expect 0 tp pool extend --size +1G --metadata-size +1M; done
wait
! grep -l failed "$WORK"/reader.? || fail 'a reader failed'
for i in 2 3 4 5 6 7 8; do cmp "$WORK/reader.img.1" "$WORK/reader.img.$i"; done
rm "$WORK"/reader.img.*
expect 0 tp umount box
sizes 210944 156
raw box "$WORK/after.img"
[ "$(content "$WORK/before.img")" = "$(content "$WORK/after.img")" ] || fail 'other bytes in box'

say 'a full pool takes more'
rm -rf "$ROOT"
expect 0 tp pool create --size 512k --base-size 64M
expect 6 tp pull "$v1"
expect_error 'pool data is full' "'thinpull pool extend --size"
expect 0 tp pool extend --size 64M
expect 0 tp pull "$v1"
sizes 64 2

say 'cut at any call'
mv "$ROOT" "$start"
fresh
total=$(calls "$PROGRAM" --root "$ROOT" pool extend --size 20G)
[ "$total" -gt 6 ] || fail 'the calls are not seen'
for how in kill eio enospc; do
    for n in $(points "$total" "$POINTS"); do
        fresh
        code=0
        fault $how "$n" "$PROGRAM" --root "$ROOT" pool extend --size 20G >"$WORK/out" \
            2>"$WORK/err" || code=$?
        expect 0 tp images
        expect 0 tp create "$v1" box
        size=$(json pool status | jq .data.total_bytes)
        case $code,$size in
        *,$((64 * MIB))) sizes 64 2 ;;
        137,*) sizes 20480 15 ;; # killed when it was done
        0,*) sizes 20480 15 ;;
        *) fail "$how $n: exit $code, $size bytes" ;;
        esac
        [ $code != 0 ] || [ "$size" != $((64 * MIB)) ] || fail "$how $n: done, but not larger"
    done
done
finish
