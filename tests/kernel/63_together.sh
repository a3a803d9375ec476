#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Many processes at once on one pool of the kernel's: 4 pulls, of which two want the same image and
# the others share layers with it, 16 creates, 16 mounts, 16 umounts, 16 removals. All succeed, no id
# is given twice, and no layer is unpacked twice.
# weight: 20
. "$(dirname "$0")/lib.sh"
export THINPULL_ENGINE=kernel
layout=$TOP/build/images/debian
BOXES=16

# together NAME COUNT WORDS...: as many at once, "{}" is the number of each
together() {
    local name=$1 count=$2 i pids=()
    shift 2
    for i in $(seq "$count"); do
        tp "${@//\{\}/$i}" >"$WORK/$name.$i.out" 2>"$WORK/$name.$i.err" &
        pids+=($!)
    done
    for i in $(seq "$count"); do
        wait "${pids[i - 1]}" || { cat "$WORK/$name.$i.err"; fail "$name $i of $count"; }
    done
}

different() { # LINES: as many as there should be, no two alike
    local lines
    lines=$(sort -u)
    [ "$(wc -l <<<"$lines")" -eq "$1" ] || fail "not $1 different ones: $lines"
}

start_registry "$layout:debian-2" "$layout:debian-3" "$layout:debian"
pool_create loop --base-size 256M
empty=$(used)

say 'four pulls'
tags=(debian debian debian-3 debian-2)
pids=()
for i in 0 1 2 3; do
    tp --progress json pull "$REGISTRY/debian:${tags[i]}" >"$WORK/pull.$i.out" \
        2>"$WORK/pull.$i.err" &
    pids+=($!)
done
for i in 0 1 2 3; do
    wait "${pids[i]}" || { cat "$WORK/pull.$i.err"; fail "pull ${tags[i]}"; }
done
nothing_left
cat "$WORK"/pull.?.err | jq -r 'select(.event == "commit") | .layer' | sort | uniq -c |
    awk '{ print $1 }' | tr '\n' ' ' >"$WORK/times"
[ "$(cat "$WORK/times")" = '1 1 1 1 ' ] || fail "layers were unpacked $(cat "$WORK/times")times"
for tag in debian debian-3 debian-2; do
    tp --json image inspect "$REGISTRY/debian:$tag" | jq -r '.layers[].thin_id'
done | different 4

say "$BOXES creates, then mounts"
image=$REGISTRY/debian:debian
together create $BOXES create "$image" 'box{}'
tp --json ls | jq -r '.[].thin_id' | different $BOXES
nothing_left
mkdir "$WORK"/own{1..16}
together mount $BOXES mount 'box{}' "$WORK/own{}"
for i in $(seq $BOXES); do
    echo "$i" >"$WORK/own$i/mine"
    rm "$WORK/own$i/etc/passwd"
done
cat "$WORK"/own*/mine | different $BOXES
tp --json ls | jq -r '.[].device' | different $BOXES

say 'umounts, with creates and pulls and removals between them'
together umount $BOXES umount 'box{}' &
first=$!
together again 4 -q pull "$image" &
second=$!
together more 4 create "$image" 'more{}' &
third=$!
wait $first
wait $second
wait $third
nothing_left
together rm $BOXES rm 'box{}'
together rmmore 4 rm 'more{}'
nothing_left
pool_clean
[ "$(tp -q ls | wc -l)" = 0 ] || fail 'containers are left'

say 'removed by several'
for i in 1 2 3; do
    code=0
    tp -q rmi "$image" "$REGISTRY/debian:debian-3" "$REGISTRY/debian:debian-2" >/dev/null 2>&1 || code=$?
    [ $code = 0 ] || [ $code = 2 ] || fail "rmi: exit $code"
done
# the first change writes the record's other copy
[ "$(used)" -le $((empty + 1)) ] || fail "$(used) blocks are left, a new pool has $empty"
pool_clean
