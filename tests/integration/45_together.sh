#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Commands at the same time on one pool: writers wait for each other or are told who has it, readers
# are never in the way, and what comes out is what one after the other gives.
# weight: 15
. "$(dirname "$0")/../support/lib.sh"

debian=oci:$IMAGES/debian:debian
tools=oci:$IMAGES/tools

expect 0 tp pool create

say 'several pulls at once, two of the same image, and readers meanwhile'
pids=()
for ref in "$debian" "$debian" "$debian-2" "$tools:umoci" "$tools:umoci" "$tools:python"; do
    tp -q pull "$ref" >"$WORK/pull.${#pids[@]}" 2>&1 &
    pids+=($!)
done
readers=0
while [ -n "$(jobs -rp)" ]; do
    expect 0 tp images
    expect 0 tp pool status
    expect 0 tp info
    readers=$((readers + 1))
    [ $readers -lt 500 ] || break
    sleep 0.05
done
for i in "${!pids[@]}"; do
    wait "${pids[$i]}" || { cat "$WORK/pull.$i"; fail "pull $i"; }
done
json images | expect_json length 4
check_pool

say 'the same as alone'
raw "$debian" "$WORK/together.ext4"
"$PROGRAM" --root "$WORK/alone" -q pull "$debian" >/dev/null
"$PROGRAM" --root "$WORK/alone" export --format raw -o "$WORK/alone.ext4" "$debian" >/dev/null
[ "$(content "$WORK/together.ext4")" = "$(content "$WORK/alone.ext4")" ] || fail 'other bytes'
rm -rf "$WORK/alone" "$WORK"/*.ext4

say 'containers made and removed at once'
pids=()
for i in $(seq 12); do
    (tp create "$debian" "box$i" && tp rm "box$i" && tp create "$debian" "box$i") \
        >"$WORK/box.$i" 2>&1 &
    pids+=($!)
done
for i in "${!pids[@]}"; do
    wait "${pids[$i]}" || { cat "$WORK/box.$((i + 1))"; fail "container $((i + 1))"; }
done
json ls | expect_json length 12
json ls | expect_json 'map(.thin_id) | unique | length' 12
check_pool

say 'one name, many who want it: one gets it, the others are told'
pids=()
for i in $(seq 6); do
    tp create "$debian" wanted >"$WORK/one.$i" 2>&1 &
    pids+=($!)
done
won=0
for pid in "${pids[@]}"; do
    code=0
    wait "$pid" || code=$?
    case $code in
    0) won=$((won + 1)) ;;
    7) ;;
    *) fail "exit $code" ;;
    esac
done
[ $won -eq 1 ] || fail "$won got the name"

say 'an export keeps its image while others remove what they can'
tp export --format raw -o "$WORK/kept.ext4" "$tools:python" &
pid=$!
expect 0 tp rmi "$tools:umoci"
expect 0,7 tp rmi "$tools:python"
wait $pid || true
check_pool
finish
