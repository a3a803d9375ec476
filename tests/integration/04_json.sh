#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# --json on every verb: one document on stdout with the keys of testdata/schemas, and an error object
# on stderr when it fails. A verb without a call here, or without a schema, fails the test.
# weight: 6
. "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"

/usr/bin/env python3 -c 'import jsonschema' 2>/dev/null || skip 'python3-jsonschema is not installed'
results=$WORK/results
mkdir "$results"
calls=0
layout=$WORK/layout
for n in 1 2; do python3 "$SUPPORT/tiny_layout.py" "$layout" "v$n" "$n" >/dev/null; done
v1=oci:$layout:v1 v2=oci:$layout:v2
without='run pool_activate pool_deactivate' # the results of these are not JSON, or cannot be had here
loops=no # can this user have block devices?
if [ "$(id -u)" = 0 ] && [ -e /dev/loop-control ]; then loops=yes; fi

# result VERB ARGS...: VERB ARGS prints a document.
result() {
    local verb=$1
    shift
    # shellcheck disable=SC2086
    expect 0 tp --json $verb "$@"
    calls=$((calls + 1))
    cp "$WORK/out" "$results/${verb// /_}.$calls"
}

# failure CODE KIND VERB ARGS...: it fails, with an object on the last line of stderr that says why.
failure() {
    local code=$1 kind=$2
    shift 2
    # shellcheck disable=SC2086
    expect "$code" tp --json "$@"
    [ ! -s "$WORK/out" ] || [ "$kind" = inconsistent ] || fail "a result of what failed: $*"
    calls=$((calls + 1))
    tail -n 1 "$WORK/err" >"$results/error.$calls"
    expect_json '[.error.code, .error.kind] | tostring' "[$code,\"$kind\"]" <"$results/error.$calls"
}

# --- without a pool ------------------------------------------------------------------------------
result version
result help
result help pull
result help pool
for shell in bash zsh fish; do result completion $shell; done
result info
result images
result ls
failure 2 not_found pool status
failure 2 not_found df

# --- images --------------------------------------------------------------------------------------
result 'pool create' --size 2G --base-size 256M
failure 7 busy pool create
result df
result tree
result 'image inspect' "$v1" # which is not here
result pull --dry-run "$v1" "$v2"
result pull "$v1" "$v2"
result pull --dry-run "$v2"
result pull --pull missing "$v2"
result pull "$v2"
result pull "$v2" --to "oci:$WORK/copy:x"
failure 2 not_found pull "oci:$layout:none"
result import "${v1#oci:}" --tag imported:1
result rmi imported:1
failure 2 not_found import "$WORK/none.tar"
start_bad_registry "$layout"
# shellcheck disable=SC2016
expect 0 bash -c 'echo x | "$0" --root "$1" --json login -u me --password-stdin --authfile "$2" "$3"' \
    "$PROGRAM" "$ROOT" "$WORK/auth.json" "$bad"
calls=$((calls + 1))
cp "$WORK/out" "$results/login.$calls"
failure 3 usage login "$bad"
result logout "$bad" --authfile "$WORK/auth.json"
result logout "$bad" --authfile "$WORK/auth.json"
failure 3 usage logout nowhere
stop_registry
result images
result 'image inspect' "$v2"
result 'image history' "$v2"
result tag "$v2" other:tag
failure 3 usage tag "$v2" 'not a name'

# --- containers ----------------------------------------------------------------------------------
result create "$v2" box --label key=value --label 'other=ä "b"'
result create "$v1" spare
failure 7 busy create "$v1" box
result ls
result inspect box
failure 2 not_found inspect nothing
result rename box web
result export web -o "$WORK/web.img"
result export "$v2" -o "$WORK/image.img"
result export "$v2" -o "$WORK/image.tar" --format oci-archive
result path web
result ls
result inspect web
if [ $loops = yes ]; then
    result mount web "$WORK/mnt"
    result inspect web
    failure 7 busy rm web
else
    failure 10 unsupported mount web
    without="$without mount"
fi
result umount web
if [ $loops = yes ] || [ "$(id -u)" != 0 ]; then
    result bundle spare "$WORK/bundle" -- true
    failure 7 busy bundle spare "$WORK/bundle" -- true
    result inspect spare
    if [ $loops = yes ]; then result umount spare; fi
else
    without="$without bundle"
fi
result df
result tree
result info
result 'pool extend' --size +1G --metadata-size 8M
failure 3 usage pool extend --size 1M
result 'pool status'
result 'pool check'
result 'pool dump'
failure 2 not_found pool dump --metadata-snap
result 'pool repair'
result 'pool trim'

# --- what goes -----------------------------------------------------------------------------------
result rm web spare
result rm -f nothing
result rmi "$v1" other:tag
failure 2 not_found rmi nothing

# --- a pool that goes ----------------------------------------------------------------------------
THINPULL_POOL=other result 'pool create' --size 256M --base-size 32M
THINPULL_POOL=other result 'pool destroy'
THINPULL_POOL=other failure 2 not_found pool destroy

# --- a pool that is damaged ----------------------------------------------------------------------
say 'damage is a result, too'
cp -r "$ROOT" "$WORK/damaged"
for block in $(seq 1 30); do # whatever is there; the superblock stays
    printf x | dd of="$WORK/damaged/pools/default/meta" bs=1 seek=$((block * 4096 + 100)) \
        conv=notrunc status=none
done
ROOT=$WORK/damaged failure 8 inconsistent pool check
calls=$((calls + 1))
cp "$WORK/out" "$results/pool_check.$calls"
expect_json .clean false <"$WORK/out"
ROOT=$WORK/damaged failure 8 inconsistent pool repair
calls=$((calls + 1))
cp "$WORK/out" "$results/pool_repair.$calls"
expect_json .outcome refused <"$WORK/out"

# --- every verb, also one that has just been added -----------------------------------------------
say 'each verb fails with an object'
tp --json help >"$WORK/help"
while read -r verb; do
    # shellcheck disable=SC2086
    failure 3 usage $verb --frobnicate
done < <(jq -r '.[] | select(.available) | .verb' "$WORK/help")

# Those of the kernel's own pools are in tests/kernel.
without="$without pool_adopt pool_watch"
# shellcheck disable=SC2086
python3 "$SUPPORT/check_json.py" "$TOP/testdata/schemas" "$results" "$WORK/help" $without ||
    fail 'results and schemas differ'
finish
