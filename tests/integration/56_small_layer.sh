#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A layer of 8 KiB on a file system of 50,000 files reads less than 512 KiB of the pool's data and
# changes at most 8 pool blocks: it costs what it touches, not what is there.
# weight: 15
. "$(dirname "$0")/../support/lib.sh"
strace -o "$WORK/strace" true 2>/dev/null || skip 'strace may not trace here'

READ_LIMIT=$((512 << 10))
CHANGED_LIMIT=8
layout=$WORK/layout

# Pool blocks that only the top layer of an image has.
own_blocks() { # REF
    json tree | jq --arg ref "$1" \
        '[.. | objects | select((.images? // []) | index($ref))][0].exclusive_bytes / 65536'
}

# try TAG [bounded]
try() {
    local ref=oci:$layout:$1 read changed
    expect 0 python3 "$SUPPORT/pool_reads.py" "$ROOT/pools/default" \
        "$PROGRAM" --root "$ROOT" -q pull "$ref"
    read -r read meta <"$WORK/out"
    changed=$(own_blocks "$ref")
    say "$1: $read bytes of data and $meta of metadata read, $changed pool blocks changed"
    [ -n "${2:-}" ] || return 0
    [ "$read" -lt $READ_LIMIT ] || fail "$1 reads $read bytes"
    [ "$changed" -le $CHANGED_LIMIT ] || fail "$1 changes $changed pool blocks"
    [ "$changed" -ge 2 ] && [ "$read" -ge 4096 ] || fail "$1 was not counted"
    raw "$ref" "$WORK/raw.ext4"
}

kinds="spread flat"
# shellcheck disable=SC2086
python3 "$SUPPORT/many_files_layout.py" "$layout" $kinds
for kind in $kinds; do
    expect 0 tp -q pull "oci:$layout:$kind-1"
    try $kind-new bounded
    try $kind-replaced bounded
    try $kind-some
done
check_pool
finish
