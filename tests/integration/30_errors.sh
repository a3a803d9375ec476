#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What can go wrong with an image, a registry, the host's disk or the pool: one clear error line,
# the right exit code, nothing hurt, and the same pull succeeds once the cause is gone.
# weight: 60
. "$(dirname "$0")/../support/lib.sh"

image=oci:$WORK/src:debian
"$PROGRAM" --root "$WORK/good" -q pull "oci:$IMAGES/debian:debian" >/dev/null
"$PROGRAM" --root "$WORK/good" export --format raw -o "$WORK/good.ext4" \
    "oci:$IMAGES/debian:debian" >/dev/null
wanted=$(content "$WORK/good.ext4")
rm -rf "$WORK/good" "$WORK/good.ext4"

# The image is not there, the pool is clean.
nothing_kept() {
    [ "$(json images | jq length)" -eq 0 ] || fail 'an image is listed'
    check_pool
}

# spoiled HOW CODE TEXT...: the pull fails so; with the right layout in its place it succeeds.
spoiled() {
    local how=$1 code=$2
    shift 2
    say "layout: $how"
    rm -rf "$WORK/src"
    python3 "$SUPPORT/spoil.py" "$IMAGES/debian" debian "$WORK/src" "$how"
    expect "$code" tp -q pull "$image"
    expect_error "$image" "$@"
    nothing_kept
    rm -rf "$WORK/src"
    python3 "$SUPPORT/spoil.py" "$IMAGES/debian" debian "$WORK/src" nothing
    expect 0 tp -q pull "$image"
    if [ "$how" = byte ]; then
        raw "$image" "$WORK/raw.ext4"
        [ "$(content "$WORK/raw.ext4")" = "$wanted" ] || fail 'other bytes than of a clean pull'
        rm "$WORK/raw.ext4"
    fi
    expect 0 tp rmi "$image"
}

expect 0 tp pool create
spoiled byte 5 'layer 2/4' sha256:
spoiled diffid 5 'layer 2/4'
if [ -z "${THINPULL_AGAIN:-}" ]; then
    spoiled cut 5 'layer 2/4'
    spoiled longer 5 'layer 2/4'
    spoiled missing 2,5 'layer 2/4'
    spoiled size-less 5 'layer 2/4'
    spoiled size-more 5 'layer 2/4'
    spoiled config 5,11
    spoiled manifest 5,11
    spoiled few-ids 11
fi

say 'layout: what is not there'
expect 2 tp -q pull "oci:$IMAGES/debian:no-such-tag"
expect_error no-such-tag
expect 2 tp -q pull "oci:$WORK/no-such-folder:debian"
expect_error no-such-folder
expect 3 tp -q pull ''
expect 3 tp -q pull 'a b'
expect 3,11 tp -q pull "oci:$IMAGES/tools" # several images, none named
nothing_kept

say 'registry: unknown tag, unknown name, nobody there'
start_registry
push "$IMAGES/tools:umoci" small:1
expect 2 tp -q pull "$REGISTRY/small:nope"
expect_error "$REGISTRY/small:nope"
expect 2 tp -q pull "$REGISTRY/nobody/knows:this"
address=$REGISTRY
stop_registry
expect 9 tp -q pull "$address/small:1"
expect_error "$address"
nothing_kept
rm -rf "$WORK/registry" "$WORK/registry.log"
start_registry "${address#localhost:}"
push "$IMAGES/tools:umoci" small:1
expect 0 tp -q pull "$address/small:1"
expect 0 tp rmi "$address/small:1"
stop_registry

say 'registry: one that misbehaves'
start_bad_registry "$IMAGES/debian"

misbehaves() { # how code text...
    local how=$1 code=$2
    shift 2
    say "registry: $how"
    expect "$code" tp -q pull "$bad/$how:debian"
    expect_error "$bad/$how:debian" "$@"
    nothing_kept
}
misbehaves cut 9 'layer 1/4'
misbehaves wrong 5 'layer 1/4'
misbehaves short 5,9 'layer 1/4'
misbehaves long 5,9 'layer 1/4'
misbehaves gone 2 'layer 1/4'
misbehaves down 9 'layer 1/4'
say 'registry: each blob cut once; the pull fetches it anew'
expect 0 tp -q pull "$bad/once:debian"
check_pool
raw "$bad/once:debian" "$WORK/raw.ext4"
[ "$(content "$WORK/raw.ext4")" = "$wanted" ] || fail 'other bytes than of a clean pull'
rm "$WORK/raw.ext4"
expect 0 tp rmi "$bad/once:debian"
check_pool
stop_registry

say 'pool: below the guard, before anything is fetched'
ROOT=$WORK/small
expect 0 tp pool create --size 100M --base-size 1G
expect 6 tp -q pull "oci:$IMAGES/debian:debian"
expect_error 'pool'
nothing_kept
expect 0 tp -q pull "oci:$IMAGES/tools:umoci"
expect 0 tp rmi "oci:$IMAGES/tools:umoci"

say 'image: does not fit in the file system'
ROOT=$WORK/narrow
expect 0 tp pool create --base-size 32M
expect 6 tp -q pull "oci:$IMAGES/debian:debian"
expect_error base-size
nothing_kept
expect 0 tp -q pull "oci:$IMAGES/tools:umoci"
check_pool

say 'pool: full, then with room'
ROOT=$WORK/full
expect 0 tp pool create --size 400M --base-size 1G
expect 0 tp -q pull "oci:$IMAGES/debian:debian"
expect 0 tp create "oci:$IMAGES/debian:debian" box
rm -rf "$WORK/two" && mkdir "$WORK/two"
(cd "$WORK/two" && head -c 300000000 /dev/urandom >noise && tar -cf ../two.tar .)
python3 "$SUPPORT/ocilayout.py" plain "$WORK/two.layout" two "$WORK/two.tar"
rm -rf "$WORK/two" "$WORK/two.tar"
before=$(json pool status | jq -c '[.thin_count, .data.used_bytes]')
expect 6 tp -q pull "oci:$WORK/two.layout:two"
after=$(json pool status | jq -c '[.thin_count, .data.used_bytes]')
[ "$before" = "$after" ] || fail "the failed pull left something: $before, $after"
check_pool
expect 0 tp rm box
expect 0 tp rmi "oci:$IMAGES/debian:debian"
expect 0 tp -q pull "oci:$WORK/two.layout:two"
check_pool
finish
