#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Several processes at once on one root: pulls of images that share layers, create, rm, rmi and
# readers, some of them killed. Nobody meets an error that is not his, and at the end all is whole.
# weight: 30
# In memory, where nothing waits for a disk and more of them meet.
[ ! -w /dev/shm ] || export TMPDIR=/dev/shm
. "$(dirname "$0")/../support/lib.sh"

SECONDS_OF_STORM=${SECONDS_OF_STORM:-6}
SEED=${SEED:-1}
layout=$WORK/layout
layers=$(python3 "$SUPPORT/storm.py" layout "$layout")
tags='a b c d pinned'

used() {
    json pool status | jq -c '[.thin_count, .data.used_bytes]'
}

# Nor does a pool have an owner.
check_left() {
    check_pool
    [ ! -e "$ROOT/pools/default/owner" ] || fail 'the pool still has an owner'
}

remove_all() {
    local word
    for word in $(tp -q ls); do expect 0 tp rm "$word"; done
    for word in $(tp -q images); do expect 0 tp rmi "$word"; done
}

say 'what an empty pool holds'
ROOT=$WORK/empty
expect 0 tp -q pull "oci:$layout:c"
remove_all
empty=$(used)
ROOT=$WORK/root

say 'all pulled at once: the pool is made once, and so is each layer'
python3 "$SUPPORT/storm.py" first "$PROGRAM" "$ROOT" "$layout" >"$WORK/first" ||
    { cat "$WORK/first"; fail 'the first pulls'; }
check_left
[ "$(json pool status | jq .thin_count)" -eq $((layers + 2)) ] ||
    fail "$(json pool status | jq .thin_count) thin devices for $layers layers"
for tag in $tags; do
    raw "oci:$layout:$tag" "$WORK/raw.ext4"
    content "$WORK/raw.ext4" >"$WORK/want.$tag"
done

say 'everything at once'
expect 0 tp create "oci:$layout:pinned" pin
python3 "$SUPPORT/storm.py" run "$PROGRAM" "$ROOT" "$layout" "$SECONDS_OF_STORM" "$SEED" \
    >"$WORK/storm" || { cat "$WORK/storm"; fail 'the storm'; }
cat "$WORK/storm"

say 'after it'
for tag in $tags; do expect 0 tp -q pull "oci:$layout:$tag"; done
check_left
for tag in $tags; do
    raw "oci:$layout:$tag" "$WORK/raw.ext4"
    [ "$(content "$WORK/raw.ext4")" = "$(cat "$WORK/want.$tag")" ] || fail "$tag: other bytes"
done
for box in $(tp -q ls); do raw "$box" "$WORK/raw.ext4"; done
[ "$(json images | jq -r '.[] | "\(.ref) \(.layers)"' | wc -l)" -eq 5 ] || fail 'not five images'

say 'and when all is removed'
remove_all
check_left
[ "$(used)" = "$empty" ] || fail "$(used) are left, an empty pool has $empty"
say 'two pools in one root: each has its images, and removing one does not touch the other'
tp --pool second -q pool create --base-size 1G >/dev/null
for pool in default second; do expect 0 tp --pool $pool -q pull "oci:$layout:c"; done
expect 0 tp --pool second create "oci:$layout:c" box
expect 2 tp --pool second -q rmi "oci:$layout:a"
expect 0 tp -q rmi "oci:$layout:c"
expect 2 tp export -o "$WORK/raw.ext4" "oci:$layout:c"
[ "$(json --pool second images | jq -r '.[] | "\(.ref) \(.layers)"')" = "oci:$layout:c 2" ] ||
    fail 'the second pool has lost its image'
expect 7 tp --pool second -q rmi "oci:$layout:c"
expect 0 tp --pool second rm box
expect 0 tp --pool second -q rmi "oci:$layout:c"
[ "$(used)" = "$empty" ] || fail "$(used) are left, an empty pool has $empty"

say 'what killed makers of pools and images left goes with the next command'
mkdir "$ROOT/pools/.new-third" "$ROOT/pools/.new-1-default"
touch "$ROOT/pools/.new-third/meta.tmp" "$ROOT/pools/.new-third/data"
touch "$ROOT/content/index.json.tmp.77" "$ROOT/content/blobs/sha256/0123.tmp.77"
expect 0 tp -q pull "oci:$layout:c"
check_nothing_stray "$ROOT"
say 'readers need neither room nor the right to write'
fault=$TOP/build/release/tests/tools/fault.so
rm "$ROOT/catalog.db"
for words in images ls info 'pool status'; do
    # shellcheck disable=SC2086
    LD_PRELOAD=$fault FAULT=enospc FAULT_AT=1 expect 0 tp --json $words
done
rm "$ROOT/catalog.db"
LD_PRELOAD=$fault FAULT=enospc FAULT_AT=1 expect 0 tp -q images
[ "$(cat "$WORK/out")" = "oci:$layout:c" ] || fail "images: $(cat "$WORK/out")"
if [ "$(id -u)" = 0 ]; then
    chmod -R a+rX "$WORK"
    cp "$PROGRAM" "$WORK/program"
    for words in images ls info 'pool status' 'pool check'; do
        # shellcheck disable=SC2086
        expect 0 setpriv --reuid=65534 --regid=65534 --clear-groups \
            "$WORK/program" --root "$ROOT" --json $words
    done
    expect 1 setpriv --reuid=65534 --regid=65534 --clear-groups \
        "$WORK/program" --root "$ROOT" create "oci:$layout:c"
    expect_error "$ROOT" 'Permission denied' '--root'
fi
finish
