#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A real image from a layout folder: pulled, listed, made into containers, exported, removed; what
# is there is not fetched twice, layers are shared, and memory stays small.
# weight: 30
. "$(dirname "$0")/../support/lib.sh"

image=oci:$IMAGES/debian:debian
layers=$(cat "$IMAGES/debian.layers")

say 'pull makes the default pool and prints the reference with its digest'
expect 0 python3 "$SUPPORT/peak.py" "$WORK/peak" "$PROGRAM" --root "$ROOT" -q pull "$image"
digest=$(jq -r '.manifests[] | select(.annotations["org.opencontainers.image.ref.name"] == "debian").digest' \
    "$IMAGES/debian/index.json")
[ "$(cat "$WORK/out")" = "$image@$digest" ] || fail "pull printed $(cat "$WORK/out")"
read -r _ _ peak_kib <"$WORK/peak"
[ "$peak_kib" -lt $((256 * 1024)) ] || fail "pull took $peak_kib KiB"
check_pool

say 'images and info know it'
json images | expect_json '.[0].ref + " " + .[0].digest' "$image $digest"
json images | expect_json '.[0].layers' "$layers"
json images | expect_json '.[0].platform' 'linux/amd64'
json pool status | expect_json '.engine' file
# the record, the empty base and the layers
[ "$(json pool status | jq .thin_count)" -ge "$layers" ] || fail 'fewer thin devices than layers'
json info >/dev/null

say 'a second pull fetches nothing'
json pull "$image" | expect_json '.[0].layers_fetched, .[0].fetched_bytes' $'0\n0'

say 'its first layers are images of their own, and are shared'
before=$(json pool status | jq -c '[.thin_count, .data.used_bytes]')
for i in $(seq $((layers - 1))); do
    json pull "$image-$i" | expect_json '.[0].layers_fetched' 0
done
after=$(json pool status | jq -c '[.thin_count, .data.used_bytes]')
[ "$before" = "$after" ] || fail "the pool grew: $before, $after"

say 'containers: writable snapshots that cost next to nothing'
expect 0 tp create "$image" one
[ "$(cat "$WORK/out")" = one ] || fail 'create prints the name'
expect 0 tp create "$image"
other=$(cat "$WORK/out")
expect 7 tp create "$image" one
grown=$(($(json pool status | jq .data.used_bytes) - $(jq -n "$before[1]")))
[ "$grown" -le $((32 * 65536)) ] || fail "two containers took $grown bytes"
json ls | expect_json 'map(.name) | sort | join(" ")' "$(printf '%s\n' one "$other" | sort | xargs)"
check_pool

say 'the file system of image and container: clean, and the same but for the uuid'
raw "$image" "$WORK/image.ext4"
raw one "$WORK/one.ext4"
"$LIST" "$WORK/image.ext4" >"$WORK/image.list"
"$LIST" "$WORK/one.ext4" >"$WORK/one.list"
cmp "$WORK/image.list" "$WORK/one.list"
[ "$(dumpe2fs -h "$WORK/image.ext4" 2>/dev/null | grep UUID)" != \
    "$(dumpe2fs -h "$WORK/one.ext4" 2>/dev/null | grep UUID)" ] || fail 'the uuid is the same'
[ "$(stat -c %b "$WORK/image.ext4")" -lt $(((400 << 20) / 512)) ] || fail 'the export is not sparse'

say 'an image in use stays, removed ones give their space back'
expect 7 tp rmi "$image"
expect 0 tp rm one "$other"
for i in $(seq $((layers - 1))); do
    expect 0 tp rmi "$image-$i"
done
used=$(json pool status | jq .data.used_bytes)
expect 0 tp rmi "$image"
[ "$(json images | jq length)" -eq 0 ] || fail 'an image is left'
left=$(json pool status | jq .data.used_bytes)
[ "$left" -lt $((used / 4)) ] || fail "of $used bytes $left are left"
check_pool
on_disk=$(du -s --block-size=1 "$ROOT/pools" | cut -f1)
[ "$on_disk" -lt $((used / 2)) ] || fail "the pool still takes $on_disk bytes of the host"

say 'and it comes back the same'
raw_before=$(content "$WORK/image.ext4")
expect 0 tp -q "$image"
raw "$image" "$WORK/again.ext4"
[ "$(content "$WORK/again.ext4")" = "$raw_before" ] || fail 'other bytes after remove and pull'
check_pool
finish
