#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A real image of several layers from a registry into each kind of pool: every layer has the bytes
# that the file engine gives it, a mounted container has its tree, runc and crun start one from it.
# weight: 30
. "$(dirname "$0")/lib.sh"
BASE=$((256 << 20))
layout=$TOP/build/images/debian

# The file engine's pool, which the kernel reads by tables of this script's own: the oracle.
say 'the file engine: what every layer must be'
start_registry "$layout:debian"
image=$REGISTRY/debian:debian
ROOT=$WORK/disks/file
tp --engine file pool create --size 2G --base-size $BASE >/dev/null
expect 0 tp --engine file -q pull "$image"
ids=$(tp --engine file --json image inspect "$image" | jq -r '.layers[].thin_id')
pool_up "$ROOT/pools/default" file
oracle=()
for id in $ids; do oracle+=("$(thin_up file "$id" $BASE)"); done
mkdir "$WORK/own"
mount -o ro,noload "${oracle[3]}" "$WORK/own"
python3 "$TOP/tests/support/tree.py" list "$WORK/own" >"$WORK/tree"
umount "$WORK/own"

# What --debug counts, layer by layer, is no more than the README of the kernel engine says.
costs() {
    local line n=0 most
    while read -r line; do
        most='12 1 1'
        [ $n -gt 0 ] || most='18 2 2'
        [[ $line =~ layer\ ([0-9]+):\ ([0-9]+)\ ioctls,\ ([0-9]+)\ flushes,\ ([0-9]+)\ record ]] ||
            continue
        n=$((n + 1))
        echo "${line#*debug: }"
        # shellcheck disable=SC2086
        set -- $most
        [ "${BASH_REMATCH[1]}" = $n ] && [ "${BASH_REMATCH[2]}" -le "$1" ] &&
            [ "${BASH_REMATCH[3]}" -le "$2" ] && [ "${BASH_REMATCH[4]}" -le "$3" ] ||
            fail "more than $most: $line"
    done <"$WORK/err"
    [ $n -eq ${#oracle[@]} ] || fail "$n layers are counted"
}

export THINPULL_ENGINE=kernel
for kind in loop device lvm; do
    say "$kind: pull"
    ROOT=$WORK/$kind
    pool_create $kind --base-size $BASE
    expect 0 tp --debug -q pull "$image"
    costs
    nothing_left
    i=0
    for id in $(tp --json image inspect "$image" | jq -r '.layers[].thin_id'); do
        device=$(layer_up "$id" $BASE)
        cmp "$device" "${oracle[i]}" || fail "$kind: layer $i has other bytes"
        dmsetup remove "${device##*/}"
        i=$((i + 1))
    done
    echo "equal: $i layers"

    say "$kind: containers"
    expect 0 tp create "$image" box
    expect 0 tp mount box "$WORK/own"
    python3 "$TOP/tests/support/tree.py" list "$WORK/own" >"$WORK/tree.$kind"
    python3 "$TOP/tests/support/tree.py" compare "$WORK/tree" "$WORK/tree.$kind" || fail "$kind: trees"
    expect 0 tp umount box
    for runtime in runc crun; do
        expect 0 tp run -q --rm --runtime $runtime "$image" -- \
            sh -c 'echo written >/root/file && cat /root/file'
        [ "$(cat "$WORK/out")" = written ] || fail "$runtime: $(cat "$WORK/out")"
    done
    expect 0 tp rm box
    pool_clean
    expect 0 tp pool activate
    expect 0 tp pool destroy
    all_gone
done
