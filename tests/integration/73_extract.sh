#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# For every test image: what an ordinary user extracts into a folder is the tree of the raw export,
# with exactly the exceptions that are written down, counted rightly, and nothing around the folder
# is touched. A host that is full says so and names the entry; what a kill leaves, its user can
# remove. Root does it by a tool, an ordinary user by `bundle`, in the second run for every second.
# weight: 90
. "$(dirname "$0")/../support/lib.sh"

EXTRACT=$TOP/build/release/tests/tools/ext4_extract
if [ "$(id -u)" -eq 0 ]; then namespace=(unshare -m); else namespace=(unshare -Urm); fi

# on_tmpfs OPTIONS COMMAND...: in a folder that only this command sees; 77 where that cannot be.
on_tmpfs() {
    mkdir -p "$WORK/small"
    # shellcheck disable=SC2016
    "${namespace[@]}" sh -c 'mount -t tmpfs -o "$1" none "$2" && cd "$2" || exit 77; shift 2; "$@"' \
        sh "$@"
}

how=
[ "$(id -u)" -eq 0 ] || how=--bundle
say "every image, by ${how:-the tool}"
mkdir "$WORK/images"
python3 "$SUPPORT/check_extract.py" --program "$PROGRAM" --list "$LIST" --extract "$EXTRACT" \
    --work "$WORK/images" $how ${ONLY_CASE:+--only "$ONLY_CASE"} ${THINPULL_AGAIN:+--every 2} \
    "$IMAGES/cases" "$IMAGES/tools" "$IMAGES/debian"

tp -q pull "oci:$IMAGES/debian:debian"
tp -q export --format raw -o "$WORK/raw" "oci:$IMAGES/debian:debian" >/dev/null

say 'another file system'
"$LIST" "$WORK/raw" | jq -c 'select(.type == "f") | [.path, .sha256]' | sort >"$WORK/want"
status=0
# shellcheck disable=SC2016
on_tmpfs size=2g,mode=700 "$WORK/small" sh -c '"$1" "$2" out >/dev/null || exit 1
    python3 "$3" list out' sh "$EXTRACT" "$WORK/raw" "$SUPPORT/tree.py" >"$WORK/listed" || status=$?
if [ "$status" -eq 77 ]; then
    say 'no namespaces here: nothing can be full'
else
    [ "$status" -eq 0 ] || fail "on a tmpfs: exit $status"
    jq -c 'select(.type == "f") | [.path, .sha256]' "$WORK/listed" | sort >"$WORK/got"
    # devices are empty files there
    comm -23 "$WORK/want" "$WORK/got" >"$WORK/missing"
    [ ! -s "$WORK/missing" ] || { head "$WORK/missing"; fail 'files differ on a tmpfs'; }

    say 'a host that is full'
    expect 1 on_tmpfs size=8m,mode=700 "$WORK/small" "$EXTRACT" "$WORK/raw" out
    grep -q '^ext4_extract: no_space: entry .*: write the file: No space left on device$' \
        "$WORK/err" || { cat "$WORK/err"; fail 'a full disk is not told'; }
    # shellcheck disable=SC2016
    expect 0 on_tmpfs nr_inodes=300,mode=700 "$WORK/small" sh -c '"$1" "$2" out && exit 1
        chmod -R u+rwX out && rm -rf out' sh "$EXTRACT" "$WORK/raw"
    grep -q '^ext4_extract: no_space: entry .*: make a .*: No space left on device$' "$WORK/err" ||
        { cat "$WORK/err"; fail 'a host without inodes is not told'; }
fi

say 'killed at many moments'
mkdir "$WORK/mine"
killed=0
for delay in 0.005 0.01 0.02 0.03 0.05 0.08 0.12 0.2; do
    status=0
    { timeout -s KILL "$delay" "$EXTRACT" "$WORK/raw" "$WORK/mine/out" >/dev/null ||
        status=$?; } 2>/dev/null
    [ "$status" -ne 137 ] || killed=$((killed + 1))
    [ ! -e "$WORK/mine/out" ] || chmod -R u+rwX "$WORK/mine/out"
    rm -rf "$WORK/mine/out"
done
[ "$killed" -gt 0 ] || fail 'nothing was killed'
[ -z "$(ls -A "$WORK/mine")" ] || fail 'something was left'

if [ "$(id -u)" -ne 0 ]; then
    say 'killed while run extracts'
    for delay in 0 0.02 0.05 0.1; do
        "$PROGRAM" --root "$ROOT" run --rm "oci:$IMAGES/debian:debian" true >/dev/null 2>&1 &
        running=$!
        for _ in $(seq 2000); do
            [ -z "$(find "$ROOT/containers" -name rootfs 2>/dev/null)" ] || break
            sleep 0.01
        done
        [ -n "$(find "$ROOT/containers" -name rootfs)" ] || fail 'nothing is extracted'
        sleep "$delay"
        { kill -KILL "$running"; wait "$running"; } 2>/dev/null || true
        tp ls >/dev/null
        left=$(find "$ROOT/containers" -mindepth 2 ! -name lock)
        [ -z "$left" ] || fail "the next command leaves: $(echo "$left" | head -n 3)"
    done
    [ -z "$(tp ls -q)" ] || fail 'a container was left'
fi

finish
